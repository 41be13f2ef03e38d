FROM alpine AS a
RUN a
FROM app AS unused
RUN b
FROM alpine
COPY --from=a /x /y
RUN c
