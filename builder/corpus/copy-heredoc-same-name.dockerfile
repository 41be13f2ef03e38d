FROM alpine
COPY <<a <<a /d/
1
a
2
a
