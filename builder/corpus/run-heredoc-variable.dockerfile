FROM alpine
RUN <<$x
a
$x
RUN <<${y}z
b
${y}z
