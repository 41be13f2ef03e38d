FROM alpine
RUN --mount=type=cache,target=/a,sharing=x x
