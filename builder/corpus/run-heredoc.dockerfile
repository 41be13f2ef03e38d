FROM alpine
RUN <<EOF
a
  b
EOF
RUN <<-EOF
	a
		b
	EOF
RUN cat <<A <<B > c
1
A
2
B
RUN <<"E O F"
x
E O F
RUN python <<EOF | sort
print(1)
EOF
