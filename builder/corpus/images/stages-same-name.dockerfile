FROM alpine AS a
RUN one
FROM app AS a
RUN two
FROM a
RUN three
