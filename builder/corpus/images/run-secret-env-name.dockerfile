FROM alpine
ARG T=1
RUN --mount=type=secret,id=t,env=T echo $T
