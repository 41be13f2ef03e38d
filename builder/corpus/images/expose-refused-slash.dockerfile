FROM alpine
EXPOSE /tcp
