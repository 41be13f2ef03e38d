FROM alpine
RUN --mounts=x a
