# target mdi
FROM alpine AS mid
FROM app
