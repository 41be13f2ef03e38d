FROM alpine AS a
COPY --from=b x y
FROM app AS b
RUN z
FROM a
