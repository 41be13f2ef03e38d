FROM alpine
HEALTHCHECK --start-interval=. CMD a
