# kvs-connect and kvs-simulator, for docker-compose.yml and for clusters; the stage `consumers` is for docker-compose.yml alone.
# Runs as nobody in particular.
# Any Rust from the rust-version of Cargo.toml on; a test holds the two together (tests/repository.rs).
ARG RUST=1.95
FROM rust:${RUST}-bookworm AS build
WORKDIR /build
COPY . .
# The image has OpenSSL's headers. By package: the features that only tests ask for stay out.
RUN cargo build --release --locked -p kvs-connect -p kvs-simulator --bins

# Consumers: the package for Python and the examples.
FROM python:3.13-slim-bookworm AS consumers
COPY clients/python /usr/src/kvs-connect
COPY examples /examples
RUN pip install --no-cache-dir "/usr/src/kvs-connect[pillow,registry]" -r /examples/requirements.txt
USER 65532:65532
ENTRYPOINT ["python"]

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates libssl3 && rm -rf /var/lib/apt/lists/*
COPY --from=build /build/target/release/kvs-connect /build/target/release/kvs-simulator /usr/local/bin/
COPY connectors /etc/kvs-connect
COPY dev/demo/clip.mkv /usr/share/kvs-connect/clip.mkv
USER 65532:65532
EXPOSE 8083 9100
ENTRYPOINT ["kvs-connect"]
CMD ["--help"]
