FROM alpine
LABEL ""=x =y
