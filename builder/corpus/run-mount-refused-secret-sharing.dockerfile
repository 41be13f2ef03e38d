FROM alpine
RUN --mount=type=secret,id=a,sharing=shared x
