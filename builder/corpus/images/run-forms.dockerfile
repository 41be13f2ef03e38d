FROM alpine
RUN a  "b" $X
RUN ["a", "b c"]
RUN --network=none --security=insecure c
RUN --network=host d
