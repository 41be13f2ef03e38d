FROM alpine
RUN --mount=target=/a,rw=x x
