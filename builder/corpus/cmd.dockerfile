FROM alpine
CMD a b
CMD ["a", "b"]
CMD []
CMD
CMD "a"
CMD ["a"
