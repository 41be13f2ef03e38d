FROM alpine
ARG =a
