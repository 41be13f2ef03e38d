# Berth's own image: `docker build -t berth .`
# With a binary that is there already: `--build-context build=DIR`, where DIR/out is what the first stage
# leaves there. On another base: `--build-arg BASE=…`, which needs glibc and CA certificates.
ARG BASE=gcr.io/distroless/base-nossl-debian12

FROM docker.io/library/rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    cargo build --locked --release --bin berth --config profile.release.strip=true
RUN mkdir -p /out/usr/bin /out/usr/lib /out/var/lib/berth \
 && cp target/release/berth /out/usr/bin/ \
 && cp /usr/lib/*-linux-gnu/libgcc_s.so.1 /out/usr/lib/

FROM ${BASE}
COPY --from=build /out/usr /usr
COPY --from=build --chown=65532:65532 /out/var/lib/berth /var/lib/berth
ENV BERTH_LISTEN=0.0.0.0:5000 BERTH_DATA=/var/lib/berth
USER 65532:65532
WORKDIR /var/lib/berth
VOLUME /var/lib/berth
EXPOSE 5000
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s CMD ["/usr/bin/berth", "healthcheck"]
ENTRYPOINT ["/usr/bin/berth"]
CMD ["serve"]
