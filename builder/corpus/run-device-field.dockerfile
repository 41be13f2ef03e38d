FROM alpine
RUN --device=a.com/b,c x
