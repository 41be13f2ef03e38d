FROM alpine AS a
CMD ["a"]
ENTRYPOINT ["b"]
FROM a
ENTRYPOINT ["c"]
