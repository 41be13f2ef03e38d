FROM alpine
RUN --mount=\"a\"b x
