ARG a
ENV b=c
FROM alpine
