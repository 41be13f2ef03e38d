FROM alpine
HEALTHCHECK NONE
HEALTHCHECK CMD a b
HEALTHCHECK CMD ["a", "b"]
HEALTHCHECK --interval=5m --timeout=3.5s --start-period=1h2m3s --start-interval=500ms --retries=3 CMD curl -f http://localhost/ || exit 1
healthcheck --interval=0 cmd a
HEALTHCHECK --x NONE
