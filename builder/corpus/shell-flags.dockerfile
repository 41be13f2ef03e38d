FROM alpine
SHELL --x ["a"]
