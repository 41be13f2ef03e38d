FROM alpine
ONBUILD maintainer a
