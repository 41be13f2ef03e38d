FROM alpine
COPY --link --link=false a b
