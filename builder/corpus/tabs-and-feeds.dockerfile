FROM	alpine
RUNxy
EXPOSE 1	23  4
