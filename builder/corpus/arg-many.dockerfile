FROM alpine
ARG a b=1 c="2 3" d\ e=4
