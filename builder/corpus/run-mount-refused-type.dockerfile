FROM alpine
RUN --mount=type=foo,target=/a x
