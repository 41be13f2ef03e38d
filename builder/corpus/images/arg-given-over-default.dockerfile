# build-arg A=9
FROM alpine
ARG A=${broken
ENV C=$A
RUN x
