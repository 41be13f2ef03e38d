FROM alpine
HEALTHCHECK --interval=3000000h CMD a
