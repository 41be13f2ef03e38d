FROM alpine
ADD --checksum a b
