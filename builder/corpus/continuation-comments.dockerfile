FROM alpine
RUN a \
# one
   # two \
  b \
  # three

USER d
