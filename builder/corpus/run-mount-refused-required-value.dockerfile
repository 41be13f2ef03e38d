FROM alpine
RUN --mount=target=/a,required=true x
