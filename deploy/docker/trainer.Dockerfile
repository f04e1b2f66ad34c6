# fpo-worker with fpo-train and LibTorch. From the root of the tree:
#
#   docker build -f deploy/docker/trainer.Dockerfile -t fpo-trainer .
#   docker build -f deploy/docker/trainer.Dockerfile --build-arg DEVICE=cuda -t fpo-trainer:cuda .
#
# DEVICE       cpu, or cuda: with LibTorch's CUDA libraries (4 GB). The driver comes from the host, by NVIDIA's container toolkit.
# BUILD_IMAGE  what is built in. With an image of Debian 12 that has nvcc of CUDA 13, libfpo_cuda.so is built too: kernels of our own;
#              without it LibTorch's operators compute the same.

ARG BUILD_IMAGE=debian:12-slim
FROM ${BUILD_IMAGE} AS build
ARG DEVICE=cpu
# The programs remember this folder: it has the same name in the image that runs.
ENV FPO_DEPS_DIR=/opt/fpo
WORKDIR /src
COPY scripts/setup.sh scripts/cuda-libraries.txt scripts/
RUN case $DEVICE in \
      cpu) scripts/setup.sh --no-cuda ;; \
      cuda) scripts/setup.sh --cuda ;; \
      *) echo "DEVICE is cpu or cuda, not $DEVICE" >&2; exit 2 ;; \
    esac
COPY . .
RUN scripts/build.sh --optimized fpo-worker fpo-train fpoctl \
    && mkdir /programs \
    && for file in fpo-worker fpo-train fpoctl; do strip -o "/programs/$file" "build/release/bin/$file" || exit 1; done \
    && for file in build/release/bin/libfpo_*.so; do strip -o "/programs/${file##*/}" "$file" || exit 1; done
# What only a compiler reads, and on a CPU LibTorch's CUDA half, which is opened where there is a GPU. libcudart and libcupti are
# links into a toolkit where the build image has one, and files here: libtorch_cpu.so needs them on every machine.
RUN rm -rf /opt/fpo/*/include /opt/fpo/cudnn-frontend-* /opt/fpo/libtorch-*/lib/libtorch_python.so \
    && for library in /opt/fpo/libtorch-*/lib/libcu*.so.13; do \
         if [ -L "$library" ]; then cp --remove-destination "$(readlink -f "$library")" "$library" || exit 1; fi; \
       done \
    && if [ "$DEVICE" = cpu ]; then rm -f /opt/fpo/libtorch-*/lib/lib*cuda*.so /opt/fpo/libtorch-*/lib/libtorch_nvshmem.so; fi

FROM debian:12-slim AS trainer
# Debian 12's versions are its security team's choice: a pinned one would keep its holes.
# tini reaps what a trainer's child leaves behind; python3-jinja2 renders the chat templates of models.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        libabsl20220623 libcurl4 libgrpc++1.51 libgrpc29 libmicrohttpd12 libprometheus-cpp-core1.0 libprotobuf32 libpugixml1v5 \
        libspdlog1.10 libssl3 libutf8proc2 libyaml-cpp0.7 zlib1g libzstd1 \
        ca-certificates python3-jinja2 tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --user-group --no-log-init --home-dir /var/lib/fpo --shell /usr/sbin/nologin fpo \
    # A new volume takes owner and mode of the folder that it covers.
    && install -d -o fpo -g fpo -m 0700 /var/lib/fpo /var/lib/fpo/worker /var/lib/fpo/identity \
    && install -d -o fpo -g fpo /srv/fpo
COPY --from=build /opt/fpo/ /opt/fpo/
COPY --from=build /programs/ /usr/local/bin/
COPY deploy/docker/fpo-healthy /usr/local/bin/
# utility is for NVML, by which the agent lists the GPUs.
ENV NVIDIA_DRIVER_CAPABILITIES=compute,utility
LABEL org.opencontainers.image.title="FPO trainer" org.opencontainers.image.licenses="Apache-2.0"
USER 10001:10001
WORKDIR /var/lib/fpo
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["fpo-healthy"]
ENTRYPOINT ["tini", "--"]
CMD ["fpo-worker", "--help"]
