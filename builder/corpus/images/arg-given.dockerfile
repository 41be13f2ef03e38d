# build-arg A=9
ARG A=1
FROM alpine
ENV B=$A
ARG A
ENV C=$A
