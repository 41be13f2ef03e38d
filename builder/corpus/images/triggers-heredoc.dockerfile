FROM alpine AS a
ONBUILD RUN <<EOF
in trigger
EOF
FROM a
