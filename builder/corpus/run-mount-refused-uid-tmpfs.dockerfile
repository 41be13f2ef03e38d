FROM alpine
RUN --mount=type=tmpfs,target=/a,uid=1 x
