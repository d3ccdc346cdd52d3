# The worker: dpcompile, diffusion-pipe at the commit that dpcompile knows, and what both need.
# Build: docker build -t dpcompile-worker .
FROM nvidia/cuda:12.8.1-cudnn-devel-ubuntu24.04

ENV DEBIAN_FRONTEND=noninteractive \
    PYTHONUNBUFFERED=1 \
    PYTHONUTF8=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    # At DEBUG, its own choice, RunPod's SDK prints jobs with their tokens.
    RUNPOD_LOG_LEVEL=INFO \
    PYTHONPATH=/opt/dpcompile \
    # `python` is the worker's; `deepspeed`, which starts the trainer, is the trainer's own.
    TRAINER_PYTHON=/opt/trainer/bin/python \
    PATH=/opt/worker/bin:/opt/trainer/bin:$PATH

SHELL ["/bin/bash", "-o", "pipefail", "-c"]

# hadolint ignore=DL3008
RUN apt-get update && \
    apt-get install -y --no-install-recommends build-essential ca-certificates curl ffmpeg git openmpi-bin \
        libopenmpi-dev pdsh python3-dev python3-pip python3-venv && \
    rm -rf /var/lib/apt/lists/*

# The trainer, at the commit whose settings dpcompile knows (schemas/diffusion_pipe.train.schema.json).
ARG TRAINER_COMMIT=8f83dbf25d03219df705570ec03e62be04bc402f
RUN git init -q /opt/diffusion_pipe && \
    git -C /opt/diffusion_pipe fetch -q --depth 1 https://github.com/tdrussell/diffusion-pipe "$TRAINER_COMMIT" && \
    git -C /opt/diffusion_pipe checkout -q FETCH_HEAD && \
    git -C /opt/diffusion_pipe submodule update -q --init --recursive --depth 1 && \
    echo "$TRAINER_COMMIT" > /opt/diffusion_pipe/.commit

# PyTorch is shared. The rest is not: the trainer and the worker want other versions of transformers and of the Hub's client.
ARG TORCH_VERSION=2.9.1
# hadolint ignore=DL3013
RUN python3 -m pip install --break-system-packages "torch==$TORCH_VERSION" torchvision torchaudio && \
    python3 -m venv --system-site-packages /opt/trainer && \
    python3 -m venv --system-site-packages /opt/worker

ARG FLASH_ATTN_WHEEL=
# hadolint ignore=DL3013
RUN /opt/trainer/bin/pip install -r /opt/diffusion_pipe/requirements.txt \
        # 5 lacks a class that Hunyuan Image's code imports, and takes no adapter from PEFT, as SDXL's are made.
        "transformers<5" \
        # From 0.39 on, diffusers hands Qwen-Image's rotary embedding another argument than the trainer does.
        "diffusers<0.39" && \
    if [ -n "$FLASH_ATTN_WHEEL" ]; then /opt/trainer/bin/pip install --no-deps "$FLASH_ATTN_WHEEL"; fi

COPY . /opt/dpcompile
RUN /opt/worker/bin/pip install -e '/opt/dpcompile[worker,inspect,caption]'

WORKDIR /opt/dpcompile
CMD ["/opt/dpcompile/worker/start.sh"]
