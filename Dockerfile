# Soroe in a container, on a CPU or an NVIDIA GPU: docs/install.md. `docker compose up` builds and starts it.

FROM python:3.11-slim-bookworm AS build
# The PyTorch to install: cpu, or cuda for NVIDIA GPUs.
ARG TORCH=cpu
ENV PYTHON=/venv/bin/python
WORKDIR /app
RUN python3 -m venv /venv
COPY scripts/install scripts/install
COPY requirements.lock requirements-cpu.lock requirements-cuda.lock ./
RUN --mount=type=cache,target=/root/.cache/pip scripts/install "$TORCH" requirements.lock
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY app app
RUN /venv/bin/python -m pip --disable-pip-version-check install --quiet --no-deps --no-build-isolation --editable . \
  && /venv/bin/python -m compileall -q app

FROM python:3.11-slim-bookworm
# Numeric, so that a cluster can see that it is not root. The user only owns its two volumes.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin soroe \
  && install --directory --owner=10001 --group=10001 --mode=0700 /data /models
WORKDIR /app
COPY --from=build /venv /venv
COPY --from=build /app /app
COPY migrations migrations
COPY locales locales
COPY templates templates
COPY static static
USER 10001:10001
ENV PATH=/venv/bin:$PATH \
  PYTHONUNBUFFERED=1 \
  HOME=/tmp \
  HF_HOME=/models \
  SOROE_DATA=/data \
  SOROE_HOST=0.0.0.0 \
  SOROE_PORT=8000
VOLUME ["/data", "/models"]
EXPOSE 8000
STOPSIGNAL SIGTERM
# A large model takes minutes to download and load; until then the container is "starting".
HEALTHCHECK --interval=30s --timeout=5s --start-period=15m --start-interval=2s --retries=3 \
  CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["soroe"]
CMD ["serve"]
