FROM scratch
COPY a /b
ENV A=1
CMD ["/b"]
