FROM alpine
RUN --mount=target=/a,required x
