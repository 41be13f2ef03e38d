FROM alpine
RUN --network=hostt a
