FROM alpine
LABEL a=1 "b.c"="d e" f='g' \
  h=i
LABEL j k l
