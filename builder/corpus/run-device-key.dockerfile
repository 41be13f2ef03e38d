FROM alpine
RUN --device=a.com/b,requird=true x
