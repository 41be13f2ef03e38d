FROM alpine
RUN --mount=target=/a,mode=0755 x
