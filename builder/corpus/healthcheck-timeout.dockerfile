FROM alpine
HEALTHCHECK --timeout=x CMD a
