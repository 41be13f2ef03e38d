FROM alpine
RUN --device=a.com/b=c,name=d x
