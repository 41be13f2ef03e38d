FROM alpine
ENV K=key
ENV $K=value ${K}2="a b"
LABEL $K=$key "l $K"=x
