FROM alpine
RUN --mount=type=cache,target=/a,gid=-1 x
