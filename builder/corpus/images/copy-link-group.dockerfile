FROM alpine
COPY --link --chown=1:app a b
