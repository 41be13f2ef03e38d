ARG GO=1
FROM --platform=$BUILDPLATFORM alpine AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG TARGETOS TARGETARCH
RUN --mount=type=cache,target=/go/pkg/mod \
    GOOS=$TARGETOS GOARCH=$TARGETARCH go build -o /out/app ./cmd/app
FROM app
RUN apk add --no-cache ca-certificates
COPY --from=build --chown=65532:65532 /out/app /usr/local/bin/app
ENV PORT=8080 LOG_LEVEL="info"
EXPOSE $PORT
USER 65532:65532
HEALTHCHECK --interval=30s CMD ["app", "health"]
LABEL org.opencontainers.image.title="An app"
ENTRYPOINT ["/usr/local/bin/app"]
CMD ["serve"]
