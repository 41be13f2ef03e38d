# syntax=docker/dockerfile:1 // x
# check=skip=all
# escape=`
FROM alpine
RUN a `
 b
