FROM alpine
USER a
USER 1:2
USER "a b"
USER $u
USER a b
