FROM alpine
ENV a b=c
RUN x y
USER me
