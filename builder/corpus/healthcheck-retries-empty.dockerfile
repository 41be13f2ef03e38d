FROM alpine
HEALTHCHECK --retries= CMD a
