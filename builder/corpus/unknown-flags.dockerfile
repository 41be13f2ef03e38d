FROM alpine
DEPLOY --now x
