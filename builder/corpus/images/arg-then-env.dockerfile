FROM alpine
ARG A=arg
ENV A=env
RUN x
ENV B=$A
