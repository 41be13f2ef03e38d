FROM alpine AS a
ONBUILD COPY x
FROM alpine AS b
FROM a
