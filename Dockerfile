# kvs-connect and kvs-simulator, for docker-compose.yml and for clusters. Runs as nobody in particular.
FROM rust:1.95-bookworm AS build
WORKDIR /build
COPY . .
RUN cargo build --release --locked --bin kvs-connect && cargo build --release --locked -p kvs-simulator

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/*
COPY --from=build /build/target/release/kvs-connect /build/target/release/kvs-simulator /usr/local/bin/
COPY connectors /etc/kvs-connect
COPY dev/demo/clip.mkv /usr/share/kvs-connect/clip.mkv
USER 65532:65532
EXPOSE 8083 9100
ENTRYPOINT ["kvs-connect"]
CMD ["--help"]
