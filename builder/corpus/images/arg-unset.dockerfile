FROM alpine
ARG A
ENV B=${A:-unset} C=${A-unset}
RUN x
