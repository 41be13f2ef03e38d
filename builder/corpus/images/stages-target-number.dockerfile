# target 0
FROM alpine AS mid
FROM app
