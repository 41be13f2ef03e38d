FROM alpine
RUN --mount=type=nothing,target=/a x
