FROM alpine
COPY a --from=b c
