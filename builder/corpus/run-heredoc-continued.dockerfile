FROM alpine
RUN a \
 <<EOF \
 && b
x
EOF
USER y
