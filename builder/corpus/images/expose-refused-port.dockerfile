FROM alpine
EXPOSE x
