FROM alpine
ADD ["a", null, "b"]
