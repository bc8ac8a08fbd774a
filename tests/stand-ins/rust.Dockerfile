# Stands in for the official Rust image: this machine's toolchain on the stand-in of Debian.
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
RUN apt-get -q update && apt-get -q install -y --no-install-recommends gcc libc6-dev make pkg-config \
    && rm -rf /var/lib/apt/lists/*
COPY toolchain /usr/local/rust
# The authorities that this machine trusts, so that cargo reaches its registry as it does here.
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
ENV CARGO_HOME=/usr/local/cargo \
    PATH=/usr/local/cargo/bin:/usr/local/rust/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
