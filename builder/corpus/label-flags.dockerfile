FROM alpine
LABEL --x a=b
