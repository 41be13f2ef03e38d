FROM alpine
EXPOSE :
