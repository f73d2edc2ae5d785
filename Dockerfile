# Serves the exported networks on a CPU:  docker build -t kind . && docker run --rm -p 127.0.0.1:8501:8501 -p 127.0.0.1:8500:8500 kind
# CI does not build it; tests/test_docker.py checks what can be checked without Docker.
FROM python:3.11.13-slim-bookworm

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONUNBUFFERED=1
WORKDIR /src

# The pinned packages first: they change less often than the code.
COPY locks/run.txt locks/tools.txt locks/
RUN python -m pip install --require-hashes --requirement locks/tools.txt \
    && python -m pip install --require-hashes --requirement locks/run.txt

COPY . .
RUN python -m pip install --no-deps --no-build-isolation . \
    && useradd --create-home --uid 10001 kind \
    && mkdir --parents /models && chown kind /models

USER kind
WORKDIR /home/kind
RUN ["kind", "export", "--out", "/models/kind", "--precision", "float32"]

EXPOSE 8500 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8501/healthz', timeout=4)"]
# For requests by another name than localhost add --allow-host NAME.
ENTRYPOINT ["kind", "serve"]
CMD ["/models/kind", "--host", "0.0.0.0"]
