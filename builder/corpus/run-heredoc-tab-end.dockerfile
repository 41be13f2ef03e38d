FROM alpine
RUN <<EOF
a
	EOF
EOF
RUN <<-EOF
a
  EOF
		EOF
