FROM alpine
RUN --mount=type=cache,target=/a,uid=x x
