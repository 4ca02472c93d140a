# One image for every process; docker-compose.yml says which command each container runs.

FROM python:3.13-slim-trixie AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
# Every package is locked by hash, those that build our own wheel too, and none is compiled.
COPY requirements/ requirements/
RUN python -m venv /build \
 && /build/bin/pip install --require-hashes --only-binary :all: -r requirements/all.txt \
 && python -m venv --without-pip /opt/ctwa \
 && /build/bin/pip --python /opt/ctwa install --require-hashes --only-binary :all: -r requirements/runtime.txt
COPY pyproject.toml README.md LICENSE ./
COPY receiver/ receiver/
COPY workers/ workers/
COPY shared/ shared/
COPY console/ console/
COPY sandbox/ sandbox/
RUN /build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /dist . \
 && /build/bin/pip --python /opt/ctwa install --no-deps --no-index /dist/ctwa_attribution-*.whl

FROM python:3.13-slim-trixie
LABEL org.opencontainers.image.title="ctwa-attribution" org.opencontainers.image.licenses="MIT"
# The folders are made here so that a named volume mounted on them belongs to our user from the start.
RUN groupadd --gid 10001 ctwa \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin ctwa \
 && install -d -o 10001 -g 10001 -m 0700 /var/lib/ctwa/spool /var/lib/ctwa/sandbox
COPY --from=build /opt/ctwa /opt/ctwa
ENV PATH=/opt/ctwa/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 SPOOL_DIR=/var/lib/ctwa/spool LOG_FORMAT=json
WORKDIR /var/lib/ctwa
USER 10001:10001
CMD ["ctwa", "--help"]
