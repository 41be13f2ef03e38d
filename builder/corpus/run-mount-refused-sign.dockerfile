FROM alpine
RUN --mount=type=cache,target=/a,uid=+1 x
