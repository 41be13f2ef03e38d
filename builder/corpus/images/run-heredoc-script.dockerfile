FROM alpine
RUN <<EOF
#!/usr/bin/python
print(1)
EOF
RUN <<-run.sh
	#!/bin/sh
	echo
run.sh
