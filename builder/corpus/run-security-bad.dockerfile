FROM alpine
RUN --security=secure a
