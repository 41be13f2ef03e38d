FROM alpine
COPY -x a
