# build-arg A=app
ARG A=alpine
ARG B=$A
FROM $B
RUN x
