FROM alpine
COPY <<EOF /b
EOF
COPY << EOF /c
EOF
USER x
