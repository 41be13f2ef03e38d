FROM alpine
ENV a    b  "c"   
ENV d	e f
