FROM app AS files
RUN files
FROM alpine AS a
ONBUILD COPY --from=files x y
FROM a
