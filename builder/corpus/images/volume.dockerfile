FROM alpine
VOLUME /a $BASE
VOLUME ["/c d"]
