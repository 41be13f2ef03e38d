FROM alpine
RUN a && b | c
RUN ["a", "b c"]
RUN []
RUN ["a" "b"]
RUN [ -f x ] && y
RUN "a b"
RUN   spaced   out  
