FROM alpine
RUN a # b
ENV c=d # e=f
