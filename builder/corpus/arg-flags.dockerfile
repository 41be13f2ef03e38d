FROM alpine
ARG --x a=b
