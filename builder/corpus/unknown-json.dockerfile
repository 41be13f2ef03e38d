FROM alpine
["a"]
