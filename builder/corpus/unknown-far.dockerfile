FROM alpine
DEPLOY now
