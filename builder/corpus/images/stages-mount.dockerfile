FROM alpine AS a
RUN a
FROM app AS b
RUN b
FROM alpine
RUN --mount=from=a,target=/a --mount=type=cache,from=B,target=/b c
