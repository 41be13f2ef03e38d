FROM alpine
RUN 3<<EOF cat
x
EOF
RUN a<<EOF cat
