FROM alpine
CMD ["a\"b", "é", "\t", "c:\\d"]
