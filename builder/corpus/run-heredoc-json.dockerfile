FROM alpine
RUN ["<<EOF"]
