FROM alpine
RUN --mount=\"a x
