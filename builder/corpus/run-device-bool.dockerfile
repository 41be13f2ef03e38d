FROM alpine
RUN --device=a.com/b,required=x x
