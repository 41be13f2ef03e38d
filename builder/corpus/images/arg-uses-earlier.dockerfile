FROM alpine
ARG A=1 B=${A}2 C=$B
ARG D=$C
RUN x
