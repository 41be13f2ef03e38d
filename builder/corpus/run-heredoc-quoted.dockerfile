FROM alpine
RUN <<'EOF'
$a
EOF
RUN <<"EOF"
$a
EOF
RUN <<E'O'F
$a
EOF
RUN <<\EOF
$a
EOF
