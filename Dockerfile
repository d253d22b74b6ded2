# Two stages: the first installs the locked packages, the second carries only what runs. Non-root, no shell needed.
# trixie's Python has an SQLite new enough for the durable engine (3.42 or newer is needed from Python 3.12 on).
FROM python:3.13-slim-trixie AS build
WORKDIR /src
# gssapi comes as source only
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev libkrb5-dev && rm -rf /var/lib/apt/lists/*
RUN python -m venv /opt/hivekeeper
COPY requirements-grid.lock .
RUN /opt/hivekeeper/bin/pip install --no-cache-dir --no-deps --require-hashes -r requirements-grid.lock
COPY pyproject.toml README.md LICENSE ./
COPY bot bot
COPY handlers handlers
COPY playground playground
RUN /opt/hivekeeper/bin/pip install --no-cache-dir --no-deps .

FROM python:3.13-slim-trixie
RUN apt-get update && apt-get install -y --no-install-recommends libgssapi-krb5-2 && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/hivekeeper hivekeeper
COPY --from=build /opt/hivekeeper /opt/hivekeeper
USER 10001
WORKDIR /var/lib/hivekeeper
ENV PATH=/opt/hivekeeper/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HIVEKEEPER_SETTINGS=/etc/hivekeeper/settings.yaml \
    HIVEKEEPER_DATA_DIR=/var/lib/hivekeeper \
    HIVEKEEPER_WEB_HOST=0.0.0.0
EXPOSE 8080
VOLUME /var/lib/hivekeeper
HEALTHCHECK --interval=15s --timeout=3s --start-period=20s --retries=3 \
  CMD ["python", "-c", "import os,urllib.request as u; u.urlopen('http://127.0.0.1:'+os.environ.get('HIVEKEEPER_WEB_PORT','8080')+'/healthz', timeout=2)"]
ENTRYPOINT ["hivekeeper"]
CMD ["serve"]
