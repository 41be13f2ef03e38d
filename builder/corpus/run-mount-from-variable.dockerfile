FROM alpine
RUN --mount=from=$a,target=/b x
