# The server alone: serve/ and its hashed requirements; no scikit-learn, pandas or mlflow.
#   docker build -t loan-approval-api:latest .
#   docker run -p 8000:8000 -v "$PWD/store/loan_approval_model:/store:ro" loan-approval-api:latest
ARG BASE_IMAGE=python:3.11-slim-bookworm

FROM ${BASE_IMAGE} AS build
COPY locks/serve.txt /tmp/serve.txt
RUN python -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir --no-compile --disable-pip-version-check --require-hashes -r /tmp/serve.txt \
 && /opt/venv/bin/pip uninstall --yes --quiet pip setuptools

FROM ${BASE_IMAGE}
COPY --from=build /opt/venv /opt/venv
COPY serve /app/serve
RUN mkdir /store && chown 10001:10001 /store
WORKDIR /app
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    ORT_DISABLE_TELEMETRY=1 \
    SERVE_HOST=0.0.0.0 \
    SERVE_STORE=/store \
    PORT=8000
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ['PORT'] + '/health/live', timeout=2)"]
ENTRYPOINT ["python", "-m", "serve"]
