FROM alpine
RUN --mount=type=secret x
