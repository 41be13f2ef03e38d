FROM alpine
COPY <<EOF /b
x
EOF2
