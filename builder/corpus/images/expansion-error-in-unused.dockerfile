FROM alpine AS unused
ENV A=${B
FROM alpine
