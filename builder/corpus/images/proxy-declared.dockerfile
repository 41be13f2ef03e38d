# build-arg HTTP_PROXY=http://p
FROM alpine
ARG HTTP_PROXY
RUN x
