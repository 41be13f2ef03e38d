FROM alpine
RUN ["a\tb", "\u00e9", "\"c\"", "d\\e", "\/"]
