FROM alpine
RUN a \
  b \
	c
USER d
