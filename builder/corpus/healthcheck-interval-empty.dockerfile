FROM alpine
HEALTHCHECK --interval= CMD a
