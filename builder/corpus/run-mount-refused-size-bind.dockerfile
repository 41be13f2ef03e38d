FROM alpine
RUN --mount=target=/a,size=1 x
