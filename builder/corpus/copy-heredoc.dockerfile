FROM alpine
COPY <<EOF /a
x
$y
EOF
COPY <<-"END" /b
	x
		$y
	END
COPY <<a <<'b' c /d/
1
a
2
b
