FROM alpine
RUN --mount x
