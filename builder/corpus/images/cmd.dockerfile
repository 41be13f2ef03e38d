FROM alpine
CMD a $X
CMD ["b", "c d"]
