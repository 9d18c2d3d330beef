# Keyward in a container: the binary and no PostgreSQL, which DATABASE_URL names. docker-compose.yml has both.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /keyward
COPY . .
# --build-arg FEATURES=opentelemetry for a build that can send spans: docs/observability.md.
ARG FEATURES=
# Without the download of PostgreSQL's programs, which is for development. No database is needed: see .cargo/config.toml.
RUN cargo build --release --locked --no-default-features --features "$FEATURES"

# The same Debian, for its C library.
FROM debian:bookworm-slim
COPY --from=build /keyward/target/release/keyward /usr/local/bin/keyward
# Nobody in particular: no file belongs to this number, and Keyward writes none.
USER 10001:10001
ENV KEYWARD_PROFILE=production
ENV KEYWARD_LISTEN=0.0.0.0:8080
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["keyward", "healthcheck"]
ENTRYPOINT ["keyward"]
