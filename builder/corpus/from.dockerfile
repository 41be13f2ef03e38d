FROM alpine
FROM alpine AS one
FROM --platform=linux/arm64 one as Two.3-x_y
FROM $a
FROM ${a:-b}/c@sha256:d
FROM scratch
