FROM alpine
ONBUILD RUN a  b
ONBUILD COPY --from=x a b
ONBUILD   ENV a=b
onbuild user x
ONBUILD FOO x
ONBUILD RUN <<EOF
x
$y
EOF
ONBUILD COPY <<-a <<b /c/
	1
	a
2
b
ONBUILD RUN ["a"]
ONBUILD RUN a \
  b
ONBUILD RUN
