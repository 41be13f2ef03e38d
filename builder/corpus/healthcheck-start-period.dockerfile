FROM alpine
HEALTHCHECK --start-period=1ns CMD a
