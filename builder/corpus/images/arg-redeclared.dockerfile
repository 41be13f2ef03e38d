ARG A=1
FROM alpine
ARG A
RUN echo $A
ENV B=$A
