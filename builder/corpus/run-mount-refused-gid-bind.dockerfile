FROM alpine
RUN --mount=target=/a,gid=1 x
