# target MID
FROM alpine AS mid
RUN b
FROM app
