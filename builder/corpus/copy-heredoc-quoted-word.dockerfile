FROM alpine
COPY "<<EOF" /b
