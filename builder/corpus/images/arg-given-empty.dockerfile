# build-arg A=
FROM alpine
ARG A=1
ENV B=${A:-unset} C=${A-unset}
RUN x
