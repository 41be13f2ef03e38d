FROM alpine
COPY a <<EOF
b
EOF
