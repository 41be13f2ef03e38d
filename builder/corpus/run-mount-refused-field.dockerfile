FROM alpine
RUN --mount=type=bind,foo x
