FROM alpine
RUN --mount=type=cache,target=/a$b,id=${c:-d} x
RUN --mount=type=$t,target=/x x
