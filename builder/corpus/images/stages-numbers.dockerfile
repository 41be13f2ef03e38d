FROM alpine
RUN a
FROM app
RUN b
FROM scratch
COPY --from=0 a b
COPY --from=1 a b
