# x
RUN a
FROM alpine
