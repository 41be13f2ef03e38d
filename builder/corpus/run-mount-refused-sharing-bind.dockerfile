FROM alpine
RUN --mount=target=/a,sharing=shared x
