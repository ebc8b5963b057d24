# The server alone: serve/ and its hashed requirements; no scikit-learn, pandas or mlflow.
#   docker build -t loan-approval-api:latest .                                            a model comes at run time
#   docker build -t loan-approval-api:latest --build-arg MODEL=store/loan_approval_model .   it is baked in
ARG BASE_IMAGE=python:3.11-slim-bookworm

FROM ${BASE_IMAGE} AS build
WORKDIR /app
COPY locks/serve.txt /tmp/serve.txt
RUN python -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir --no-compile --disable-pip-version-check --require-hashes -r /tmp/serve.txt \
 && /opt/venv/bin/pip uninstall --yes --quiet pip setuptools
COPY serve serve
# What a start imports, compiled: the base image has no bytecode, not even of the standard library, and the tree of a
# container is read-only, so that each worker would compile everything again. The files never change: no check of them.
ENV PYTHONPYCACHEPREFIX=/opt/bytecode
RUN /opt/venv/bin/python -c "import sys, numpy.random, uvloop, serve.__main__, serve.api.service, serve.healthcheck, serve.http.worker, serve.registry.watcher; \
print(*(module.__file__ for module in sys.modules.values() if str(getattr(module, '__file__', '')).endswith('.py')), sep='\n')" > /tmp/modules \
 && /opt/venv/bin/python -m compileall -q --invalidation-mode unchecked-hash -i /tmp/modules serve
# The folder of a promoted store; by default a file that means nothing, since COPY must copy something.
ARG MODEL=.dockerignore
COPY ${MODEL} /model/
RUN rm -f /model/.dockerignore && mkdir /store /predictions \
 && ORT_DISABLE_TELEMETRY=1 PYTHONDONTWRITEBYTECODE=1 /opt/venv/bin/python -m serve.bake /model /store

FROM ${BASE_IMAGE}
ARG VERSION=0.1.0 REVISION=unknown
LABEL org.opencontainers.image.title="loan-approval-api" \
      org.opencontainers.image.description="Loan decisions by a promoted ONNX model" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/bytecode /opt/bytecode
COPY --from=build --chown=10001:10001 /store /store
# Empty: a new volume for the prediction log (SERVE_PREDICTION_LOG=/predictions) gets its owner from here.
COPY --from=build --chown=10001:10001 /predictions /predictions
COPY serve /app/serve
WORKDIR /app
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONPYCACHEPREFIX=/opt/bytecode \
    ORT_DISABLE_TELEMETRY=1 \
    SERVE_HOST=0.0.0.0 \
    SERVE_STORE=/store \
    SERVE_REVISION=${REVISION} \
    PORT=8000
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --retries=3 \
    CMD ["python", "-m", "serve.healthcheck"]
ENTRYPOINT ["python", "-m", "serve"]
