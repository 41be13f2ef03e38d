FROM alpine AS a
RUN --mount=type=nothing,target=/a x
FROM alpine
