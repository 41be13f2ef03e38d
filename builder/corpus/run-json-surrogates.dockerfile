FROM alpine
RUN ["\ud83d\ude00", "\ud800", "\udc00x"]
