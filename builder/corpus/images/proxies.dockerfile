# build-arg http_proxy=http://p
# build-arg NO_PROXY=n
FROM alpine
RUN x
ENV P=$http_proxy
