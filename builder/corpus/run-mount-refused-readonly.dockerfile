FROM alpine
RUN --mount=target=/a,ro=x x
