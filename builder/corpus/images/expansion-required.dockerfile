FROM alpine
ARG A
ENV B=${A:?set A}
