FROM alpine AS a
ARG X=x
ONBUILD RUN trigger $X
ONBUILD COPY --from=app a b
ONBUILD ENV T=$X
RUN own
FROM a AS b
RUN child
FROM b
RUN grandchild
