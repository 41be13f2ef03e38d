# escape=`
FROM alpine
RUN a `
 b
COPY <<EOF /x
one
EOF
