FROM alpine
HEALTHCHECK --interval=5d CMD a
