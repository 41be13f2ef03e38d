# alpine is small
#
# base is the base
FROM alpine AS base
# x is a number
# y is another
ARG x=1 y z

  # w indented
ARG w
