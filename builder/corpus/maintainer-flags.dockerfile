FROM alpine
MAINTAINER --x a
