# build-arg A=9
FROM alpine
RUN echo $A
ENV B=$A
