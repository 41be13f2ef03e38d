FROM alpine
RUN --mount=type=bind,\"target=/a,b\",\"source=x\"\"y\" x
