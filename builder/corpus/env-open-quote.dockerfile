FROM alpine
ENV a="b c
USER d
