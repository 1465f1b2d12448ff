# The bot alone: no compiler, no shell scripts, no embedded PostgreSQL; not root, and happy on a read-only
# root file system with /data as its only writable place. Any base with Python 3.11 or newer will do
# (`--build-arg BASE=…`); nothing below depends on the distribution.
ARG BASE=python:3.13-alpine3.24@sha256:2d9aefe2fef018a7eb2c13064c89c71929800fd2e5dccdbf52ea5da5bb8d929a

FROM ${BASE} AS build
WORKDIR /src
COPY requirements/run.txt requirements/run.txt
# The locked wheels alone; pip and what only serves tests or compilers stays behind.
RUN python3 -m venv /opt/slipway \
 && /opt/slipway/bin/python -m pip install --no-cache-dir --disable-pip-version-check --no-compile \
      --only-binary :all: --require-hashes -r requirements/run.txt \
 && /opt/slipway/bin/python -m pip uninstall -q -y setuptools pip 2>/dev/null \
 && find /opt/slipway -type d \( -name tests -o -name testing \) -prune -exec rm -rf {} + \
 && find /opt/slipway \( -name '*.pyx' -o -name '*.pxd' -o -name '*.c' -o -name '*.h' -o -name '*.pyi' \) -delete
COPY bot bot
COPY cogs cogs
COPY migrations migrations
RUN site="$(/opt/slipway/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" \
 && cp -r bot cogs "$site" \
 && cp -r migrations "$site/bot/migrations" \
 && printf '#!/opt/slipway/bin/python\nfrom bot.__main__ import main\nmain()\n' > /opt/slipway/bin/slipway \
 && chmod 755 /opt/slipway/bin/slipway \
 && /opt/slipway/bin/python -m compileall -q -j 0 /opt/slipway/lib \
 && mkdir -p /empty
# Empty configuration for an Envoy beside it, which does not start without; Slipway replaces it.
RUN for kind in listeners clusters routes; do mkdir -p "/envoy/$kind" && echo '{"version_info": "0", "resources": []}' > "/envoy/$kind/$kind.json"; done

FROM ${BASE}
LABEL org.opencontainers.image.title="Slipway" \
      org.opencontainers.image.description="ChatOps deploys for Discord" \
      org.opencontainers.image.licenses="MIT"
ENV PATH=/opt/slipway/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    SLIPWAY_DATA_DIR=/data \
    SLIPWAY_CONFIG_DIR=/config \
    SLIPWAY_WEB_HOST=0.0.0.0 \
    SLIPWAY_SHARED_ACCOUNT=true
COPY --from=build /opt/slipway /opt/slipway
COPY --from=build --chown=10001:10001 /empty /data
# Volumes that are shared with an Envoy beside it begin with this content and owner.
COPY --from=build --chown=10001:10001 /envoy /var/lib/slipway-envoy
COPY --from=build --chown=10001:10001 /empty /run/slipway-envoy
USER 10001:10001
WORKDIR /data
VOLUME ["/data"]
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=4s --start-period=20s --retries=3 \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/livez', timeout=3)"]
ENTRYPOINT ["slipway"]
CMD ["run"]
