FROM alpine
coppy a b
