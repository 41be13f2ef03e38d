FROM alpine
FRM b
