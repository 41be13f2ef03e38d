FROM alpine
CMD --x a
