FROM alpine AS a
COPY --from=b x y
FROM alpine AS b
COPY --from=c x y
FROM alpine AS c
COPY --from=a x y
