# The image of LifeOps: one program on a slim Debian. compose.yaml uses it; docs/operations.md says how to run it.
# Everything that the program serves (pages, styles, scripts, migrations, time zones) is inside the program.

ARG BUILD_IMAGE=rust:1-trixie
ARG BASE_IMAGE=debian:trixie-slim

FROM ${BUILD_IMAGE} AS build
WORKDIR /build
COPY Cargo.toml Cargo.lock build.rs ./
COPY migrations migrations
COPY static static
COPY templates templates
COPY src src
# Downloaded crates and compiled dependencies stay in the builder's caches, so that a change of our sources compiles our
# sources alone. Cargo goes by the files' times, and a checkout may be older than the last build: hence the touch.
RUN --mount=type=cache,id=lifeops-registry,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,id=lifeops-target,target=/build/target,sharing=locked \
    find Cargo.toml build.rs migrations static templates src -type f -exec touch {} + \
    && cargo build --release --locked --bin lifeops \
    && install -m 0755 target/release/lifeops /usr/local/bin/lifeops

FROM ${BASE_IMAGE}
ARG BASE_IMAGE
ARG REVISION=unknown
LABEL org.opencontainers.image.title="LifeOps" \
      org.opencontainers.image.description="A household's papers and history. Nothing is silently overwritten." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.base.name="${BASE_IMAGE}" \
      org.opencontainers.image.revision="${REVISION}"
# A fixed number, so that the owner of files on volumes and of secrets is known everywhere. A new volume takes the
# directory's owner and mode.
RUN groupadd --gid 10001 lifeops \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/lifeops --shell /usr/sbin/nologin lifeops \
    && install -d -o 10001 -g 10001 -m 0700 /var/lib/lifeops
# Roots for TLS to a PostgreSQL elsewhere; the slim base has none.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /usr/local/bin/lifeops /usr/local/bin/lifeops
ENV LIFEOPS_DATA=/var/lib/lifeops \
    LIFEOPS_LISTEN=0.0.0.0:8080
USER 10001:10001
WORKDIR /var/lib/lifeops
VOLUME ["/var/lib/lifeops"]
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=8s --start-period=60s --retries=3 CMD ["lifeops", "healthcheck"]
ENTRYPOINT ["lifeops"]
CMD ["serve"]
