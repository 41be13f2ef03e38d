FROM alpine
FROM scratch
COPY --from=-1 a b
