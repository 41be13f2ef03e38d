FROM alpine
RUN echo "a <<EOF
RUN b
