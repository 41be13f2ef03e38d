FROM alpine
ENV E=env
ARG A=$E
RUN x
