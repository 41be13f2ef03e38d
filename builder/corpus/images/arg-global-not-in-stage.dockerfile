ARG A=1
FROM alpine
RUN echo $A
ENV B=$A
