# syntax=docker/dockerfile:1
# The runtime image holds the command, the libraries it links and the demo's model; it runs as a user without rights.

FROM swift:6.3-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        librdkafka-dev libmicrohttpd-dev libsqlite3-dev libpq-dev librocksdb-dev libzip-dev zlib1g-dev libzstd-dev libssl-dev libcurl4-openssl-dev pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Package.swift ./
COPY Sources Sources
# The manifest names the test targets, so their folders must be there; they are not built.
COPY Tests Tests
RUN swift build -c release --product impactiq --static-swift-stdlib \
    && install -D -s .build/release/impactiq /out/impactiq

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        librdkafka1 libmicrohttpd12 libsqlite3-0 libpq5 librocksdb7.8 libzip4 zlib1g libzstd1 libssl3 libcurl4 libstdc++6 ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /var/lib/impactiq --create-home --shell /usr/sbin/nologin impactiq
COPY --from=build /out/impactiq /usr/local/bin/impactiq
COPY examples/demo /usr/share/impactiq/demo
COPY LICENSE /usr/share/doc/impactiq/LICENSE
USER impactiq
WORKDIR /var/lib/impactiq
VOLUME /var/lib/impactiq
EXPOSE 8080
STOPSIGNAL SIGTERM
# Healthy: the pipeline says that it is ready, as a load balancer would ask it. The image has bash, and no curl.
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 CMD ["bash", "-c", \
    "exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET /ready HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3 && head -n 1 <&3 | grep -q ' 200 '"]
ENTRYPOINT ["impactiq"]
CMD ["run"]
