FROM alpine
ENV A=env
ARG A=arg
RUN x
ENV B=$A
