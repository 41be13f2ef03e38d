FROM alpine
\
RUN a
\
\
USER b
