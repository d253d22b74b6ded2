"""Debian's Prometheus, Alertmanager and Pushgateway, around a bot (loaded by the fixture `servers`)."""

from __future__ import annotations

import base64
import ctypes
import datetime
import ipaddress
import json
import secrets
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from playground.broken import unused_port
from playground.child import clean_environment, leashed
from playground.prometheus import METRIC

Counts = Mapping[tuple[str, str], int]
FLAG = "deployer_alert"


class Servers:
    """One Pushgateway and one Alertmanager, and a Prometheus behind TLS and a login for each region. `data`: region ->
    how many samples of which method and status its Prometheus has from the last minutes. `hook` and `key`: the bot's
    webhook; `slack`: an incoming webhook. The alert of a region fires while `push(region, …)` last said so."""

    def __init__(self, folder: Path, find: Callable[[str], str], data: Mapping[str, Counts]) -> None:
        self._folder, self._find, self._data = folder, find, data
        self._stack = ExitStack()
        self._last: subprocess.Popen[bytes]
        self.password = secrets.token_hex(16)
        self.ca, key = _certificate(folder)
        users = {"keeper": _bcrypt(self.password)}
        web = {"tls_server_config": {"cert_file": str(self.ca), "key_file": str(key)}, "basic_auth_users": users}
        (folder / "web.yml").write_text(yaml.safe_dump(web))
        ports = {name: unused_port() for name in ("push", "alertmanager", *data)}
        self.push_address, self.alertmanager = (f"http://127.0.0.1:{ports[n]}" for n in ("push", "alertmanager"))
        self.prometheus = {region: f"https://127.0.0.1:{ports[region]}" for region in data}

    def adjust(self, settings: dict[str, Any]) -> None:
        """Into the bot's settings."""
        password = self._folder / "password"
        password.write_text(self.password)
        auth = {"method": "basic", "username": "keeper", "password": {"file": str(password)}}
        settings["prometheus"] = {
            region: {"address": address, "auth": auth, "ca_file": str(self.ca)}
            for region, address in self.prometheus.items()
        }

    def start(self, hook: str, key: Path, slack: str) -> None:
        try:
            self._pushgateway()
            self._alertmanager(hook, key, slack)
            for region in self._data:
                self._prometheus(region)
            for address in self.prometheus.values():
                self._wait(lambda a=address: self._ask(f"{a}/api/v1/alertmanagers")["data"]["activeAlertmanagers"])  # type: ignore[misc]
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._stack.close()

    def push(self, region: str, *, alert: bool, kinds: tuple[dict[str, str], ...] = ()) -> None:
        """What the region's deployer shows from now on: is it alarmed, and logins of which kinds."""
        lines = [f"# TYPE {FLAG} gauge", f"{FLAG} {int(alert)}"]
        if kinds:
            lines.append(f"# TYPE {METRIC} gauge")
        lines += [f'{METRIC}{{method="{k["method"]}",status="{k["status"]}"}} 1' for k in kinds]
        address = f"{self.push_address}/metrics/job/deployer/of_region/{region}"
        request = urllib.request.Request(address, "\n".join([*lines, ""]).encode(), method="PUT")
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60):
            pass

    # --- each of them ----------------------------------------------------------------------------------------

    def _pushgateway(self) -> None:
        self._run("prometheus-pushgateway", f"--web.listen-address={self.push_address.removeprefix('http://')}")
        self._wait(lambda: self._answers(f"{self.push_address}/-/ready"))

    def _alertmanager(self, hook: str, key: Path, slack: str) -> None:
        document = {
            "route": {
                "receiver": "bot", "group_by": ["alertname", "region"], "group_wait": "0s", "group_interval": "1s",
                "repeat_interval": "1h", "routes": [{"receiver": "bot", "continue": True}, {"receiver": "slack"}],
            },
            "receivers": [
                {"name": "bot", "webhook_configs": [
                    {"url": hook, "http_config": {"authorization": {"credentials_file": str(key)}}}]},
                {"name": "slack", "slack_configs": [
                    {"api_url": slack, "channel": "#anywhere", "send_resolved": True,
                     "fields": [{"title": "region", "value": "{{ .CommonLabels.region }}"}]}]},
            ],
        }  # fmt: skip
        (self._folder / "alertmanager.yml").write_text(yaml.safe_dump(document))
        address = self.alertmanager.removeprefix("http://")
        self._run("prometheus-alertmanager", f"--config.file={self._folder}/alertmanager.yml",
                  f"--storage.path={self._folder}/alertmanager", f"--web.listen-address={address}",
                  "--cluster.listen-address=")  # fmt: skip
        self._wait(lambda: self._answers(f"{self.alertmanager}/-/ready"))

    def _prometheus(self, region: str) -> None:
        """Alerts are sent anew every 3 s and hold four times as long: a starved machine does not end them."""
        data, config = self._folder / f"data-{region}", self._folder / f"{region}.yml"
        data.mkdir()
        self._load(data, self._data[region])
        document = {
            "global": {"scrape_interval": "500ms", "evaluation_interval": "500ms", "external_labels": {"region": region}},
            "rule_files": [str(self._rules())],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [self.alertmanager.removeprefix("http://")]}]}]},
            "scrape_configs": [{
                "job_name": "push", "honor_labels": True,
                "static_configs": [{"targets": [self.push_address.removeprefix("http://")]}],
                "metric_relabel_configs": [{"source_labels": ["of_region"], "regex": region, "action": "keep"}],
            }],
        }  # fmt: skip
        config.write_text(yaml.safe_dump(document))
        address = self.prometheus[region]
        self._run("prometheus", f"--config.file={config}", f"--web.config.file={self._folder}/web.yml",
                  f"--storage.tsdb.path={data}", f"--web.listen-address={address.removeprefix('https://')}",
                  "--rules.alert.resend-delay=3s")  # fmt: skip
        self._wait(lambda: self._answers(f"{address}/-/ready"))

    def _rules(self) -> Path:
        name = f"armada-deploy/{METRIC}"
        rule = {
            "alert": name, "expr": f"max({FLAG}) > 0",
            "labels": {"alert_situation": name, "service": "armada-kubx-deployer", "severity": "critical"},
            "annotations": {"summary": "armada-kubx-deployer keeps failing to log in to Red Hat."},
        }  # fmt: skip
        path = self._folder / "rules.yml"
        path.write_text(yaml.safe_dump({"groups": [{"name": "deployer", "rules": [rule]}]}))
        return path

    def _load(self, data: Path, counts: Counts) -> None:
        """The samples lie evenly in the last ten minutes, until ten seconds ago."""
        now, lines = time.time(), [f"# TYPE {METRIC} gauge"]
        for (method, status), count in sorted(counts.items()):
            for turn in range(count):
                at = now - 600 + 590 * turn / max(count - 1, 1)
                lines.append(f'{METRIC}{{method="{method}",status="{status}",instance="deployer-0"}} 1 {at:.3f}')
        if not counts:
            return
        source = data.with_suffix(".om")
        source.write_text("\n".join([*lines, "# EOF", ""]))
        command = [self._find("promtool"), "tsdb", "create-blocks-from", "openmetrics", str(source), str(data)]
        subprocess.run(command, check=True, capture_output=True, timeout=60)

    def _run(self, program: str, *arguments: str) -> None:
        log = self._stack.enter_context((self._folder / f"{program}.log").open("ab"))
        command = leashed([self._find(program), *arguments])
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=clean_environment())
        self._last = process
        self._stack.callback(process.wait, 30)
        self._stack.callback(process.terminate)

    def _wait(self, wanted: Callable[[], Any]) -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end and self._last.poll() is None:
            if wanted():
                return
            time.sleep(0.05)
        logs = {path.name: path.read_text()[-1500:] for path in self._folder.glob("*.log")}
        raise AssertionError(f"a server did not get ready: {logs}")

    def _answers(self, address: str) -> bool:
        try:
            self._open(address).close()
        except OSError:
            return False
        return True

    def _ask(self, address: str) -> Any:
        with self._open(address) as answer:
            return json.load(answer)

    def _open(self, address: str) -> Any:
        trust = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(self.ca)))
        login = base64.b64encode(f"keeper:{self.password}".encode()).decode()
        request = urllib.request.Request(address, headers={"authorization": f"Basic {login}"})
        return urllib.request.build_opener(urllib.request.ProxyHandler({}), trust).open(request, timeout=60)


def _bcrypt(password: str) -> str:
    """Prometheus wants bcrypt; the C library has it."""
    library = ctypes.CDLL("libcrypt.so.1")
    library.crypt.restype = library.crypt_gensalt.restype = ctypes.c_char_p
    salt = library.crypt_gensalt(b"$2b$", ctypes.c_ulong(4), secrets.token_bytes(16), 16)
    return str(library.crypt(password.encode(), salt).decode())


def _certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "prometheus of a test")])
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    # Python 3.13 checks strictly: an authority must say that it is one in every way
    usage = x509.KeyUsage(True, False, False, False, False, True, False, False, False)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - day).not_valid_after(now + day)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "ca.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (folder / "ca.key").write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
    return folder / "ca.crt", folder / "ca.key"
