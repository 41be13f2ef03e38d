FROM alpine
WORKDIR --x a
