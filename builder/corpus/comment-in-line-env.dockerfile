FROM alpine
ENV c=d # e
