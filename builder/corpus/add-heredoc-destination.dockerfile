FROM alpine
ADD a <<EOF
EOF
