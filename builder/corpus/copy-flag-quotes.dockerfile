FROM alpine
COPY --from="a" --chown='b' --exclude="c d" --exclude=e\ f g h
