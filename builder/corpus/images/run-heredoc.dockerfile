FROM alpine
RUN <<EOF
a
  b $X
EOF
RUN <<-E
	a
		b
E
RUN cat <<A - <<B
1
A
	2
B
RUN <<EOF cat
x
EOF
