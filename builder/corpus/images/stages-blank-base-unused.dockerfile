FROM ${A} AS a
FROM alpine
