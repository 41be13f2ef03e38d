FROM alpine
COPY --link --chown=root:0 a b
COPY --link --chown=1: a b
