FROM alpine
HEALTHCHECK --interval=5m --timeout=3.5s --start-period=1h2m3s --start-interval=500ms --retries=3 CMD curl "x y" || exit 1
