FROM alpine
COPY --from=é a b
