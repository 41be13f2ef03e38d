FROM alpine
RUN cat <<<EOF
RUN a << b
b
RUN cat <<
RUN cat <<-
