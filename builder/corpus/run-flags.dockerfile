FROM alpine
RUN --network=none --security=insecure a
RUN --network=host a
RUN --network=default --security=sandbox a
