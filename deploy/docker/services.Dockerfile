# fpo-coordinator, fpo-cache and fpoctl, without LibTorch. From the root of the tree:
#
#   docker build -f deploy/docker/services.Dockerfile -t fpo-services .
#   docker run --rm fpo-services fpoctl version
#
# The target first-start is for deploy/compose alone: it makes development certificates.

FROM debian:12-slim AS build
WORKDIR /src
# What the scripts fetch is a layer of its own: an edit of a source does not fetch it again.
COPY scripts/setup.sh scripts/cuda-libraries.txt scripts/
RUN scripts/setup.sh --no-torch
COPY . .
# As scripts/build.sh --optimized does, which would also fetch and build the trainer.
RUN cmake --preset services -DFPO_UNITY=OFF -DBUILD_TESTING=OFF \
    && cmake --build --preset services --target fpo-coordinator fpo-cache fpoctl \
    && mkdir /programs \
    && for program in fpo-coordinator fpo-cache fpoctl; do strip -o "/programs/$program" "build/services/bin/$program" || exit 1; done

FROM debian:12-slim AS runtime
# For a coordinator that starts workers in Kubernetes: --build-arg KUBECTL=kubernetes-client.
ARG KUBECTL=
# Debian 12's versions are its security team's choice: a pinned one would keep its holes.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        libabsl20220623 libcurl4 libgrpc++1.51 libgrpc29 libmicrohttpd12 libpq5 libprometheus-cpp-core1.0 libprotobuf32 libpugixml1v5 \
        librocksdb7.8 libspdlog1.10 libssl3 libutf8proc2 libyaml-cpp0.7 ${KUBECTL} \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --user-group --no-log-init --home-dir /var/lib/fpo --shell /usr/sbin/nologin fpo \
    # A new volume takes owner and mode of the folder that it covers.
    && install -d -o fpo -g fpo -m 0700 /var/lib/fpo /var/lib/fpo/coordinator /var/lib/fpo/cache /var/lib/fpo/identity
COPY --from=build /programs/ /usr/local/bin/
COPY deploy/docker/fpo-healthy /usr/local/bin/
USER 10001:10001
WORKDIR /var/lib/fpo
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["fpo-healthy"]
CMD ["fpoctl", "--help"]

FROM runtime AS first-start
USER 0
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends openssl && rm -rf /var/lib/apt/lists/*
COPY deploy/docker/development-identity /usr/local/bin/
USER 10001:10001
HEALTHCHECK NONE
CMD ["development-identity", "--help"]

FROM runtime AS services
LABEL org.opencontainers.image.title="FPO services" org.opencontainers.image.licenses="Apache-2.0"
