FROM alpine
COPY --link --chown=app a b
