# syntax=docker/dockerfile:1
ARG GO=1.23
FROM --platform=$BUILDPLATFORM golang:${GO}-alpine AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG TARGETOS TARGETARCH
RUN --mount=type=cache,target=/go/pkg/mod \
    --mount=type=cache,target=/root/.cache/go-build \
    GOOS=$TARGETOS GOARCH=$TARGETARCH go build -o /out/app ./cmd/app

FROM alpine:3.20
RUN apk add --no-cache ca-certificates \
 # for the time zones
 && apk add tzdata
COPY --from=build --chown=65532:65532 /out/app /usr/local/bin/app
ENV PORT=8080 \
    LOG_LEVEL="info"
EXPOSE $PORT
USER 65532:65532
HEALTHCHECK --interval=30s CMD ["app", "health"]
LABEL org.opencontainers.image.title="An app"
ENTRYPOINT ["/usr/local/bin/app"]
CMD ["serve"]
