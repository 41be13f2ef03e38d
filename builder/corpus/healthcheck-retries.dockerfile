FROM alpine
HEALTHCHECK --retries=x CMD a
