# The dashboard for a class: docs/classroom.md says how it is run, and who can reach it.
#   docker build --build-arg TORCH_INDEX=<PyTorch's index of CPU wheels> -t binviz .
FROM python:3.11-slim

WORKDIR /binviz
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore

# Without it, PyTorch's default wheel brings several gigabytes of GPU libraries along
ARG TORCH_INDEX=
COPY constraints.txt ./
RUN python -m pip install -c constraints.txt ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} torch

COPY pyproject.toml README.md LICENSE ./
COPY kernels kernels
COPY dashboard dashboard
COPY binviz binviz
RUN python -m pip install -c constraints.txt .

# All that is written while it runs are compiled kernels, which belong to the processor that they were compiled on
ENV HOME=/tmp NUMBA_CACHE_DIR=/tmp/numba HF_HUB_OFFLINE=1
USER 10001:10001
WORKDIR /tmp
EXPOSE 8501
HEALTHCHECK --start-period=180s CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://localhost:8501/_stcore/health', timeout=3)"]
CMD ["binviz", "app", "--address", "0.0.0.0", "--port", "8501", "--no-browser"]
