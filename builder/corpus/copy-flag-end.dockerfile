FROM alpine
COPY -- --from=x y
COPY --link -- -a b
