FROM alpine
RUN --mount=required,type=secret,id=a x
