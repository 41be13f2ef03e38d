FROM alpine
RUN ["a"] b
RUN ["a",]
RUN ['a']
RUN ["a"]   
