ARG A=1
FROM alpine AS a
ARG A
ARG L=local
ENV X=$A$L
RUN x
FROM a
RUN echo $A $L
ENV Y=$A$L
FROM alpine
ENV Z=$A$L
COPY --from=1 / /
