FROM alpine AS a
RUN one
FROM scratch AS b
COPY --from=a x y
FROM app AS a
RUN two
FROM scratch
COPY --from=a x y
