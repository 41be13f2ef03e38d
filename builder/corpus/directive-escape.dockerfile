# escape=`
FROM alpine
RUN a `
  b
COPY c:\ d:\
ENV a=`"x b="`$x" c='`y'
