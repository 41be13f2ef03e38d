ARG A=0
FROM alpine
FROM scratch
COPY --from=$A a b
