ARG IMG=alpine
FROM --platform=$BUILDPLATFORM $IMG AS b
RUN x
FROM --platform=linux/amd64 alpine
COPY --from=b a b
