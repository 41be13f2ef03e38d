FROM alpine
RUN --mount=type=bind,tarcget=/a x
