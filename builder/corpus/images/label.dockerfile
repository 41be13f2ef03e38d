FROM alpine
LABEL a=1 of="not alpine" b="x y"
LABEL c d e
