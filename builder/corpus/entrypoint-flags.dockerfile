FROM alpine
ENTRYPOINT --x a
