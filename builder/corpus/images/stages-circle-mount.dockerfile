FROM alpine AS a
RUN --mount=from=b,target=/x y
FROM alpine AS b
COPY --from=a x y
