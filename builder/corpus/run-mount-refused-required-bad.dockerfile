FROM alpine
RUN --mount=type=secret,id=a,required=x x
