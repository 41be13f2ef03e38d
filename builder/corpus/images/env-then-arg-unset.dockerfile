FROM alpine
ENV A=env
ARG A
RUN x
ENV B=$A
