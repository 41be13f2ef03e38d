# build-arg B=given
ARG V=latest
FROM alpine:$V
ARG A=1 B=2 C
ENV X=$A Y=${B}
RUN echo $X
WORKDIR rel
COPY --chown=1:2 a b c/
CMD run
