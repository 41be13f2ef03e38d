FROM alpine
ONBUILD RUN ["<<EOF"]
