"""What the bot relies on in Prometheus. Always asked of the stand-in; slow: of a real server over TLS and basic login,
with data loaded by promtool; and, as far as that needs no data of ours, of the one that HIVEKEEPER_LIVE_PROMETHEUS names
(its address; HIVEKEEPER_LIVE_PROMETHEUS_TOKEN for a bearer token, HIVEKEEPER_LIVE_PROMETHEUS_CA for its CA file)."""

from __future__ import annotations

import ctypes
import datetime
import ipaddress
import math
import os
import secrets
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bot.core.errors import Refused
from bot.core.outside import Matrix, Vector
from bot.core.secret import Secret
from bot.looking import Prometheus
from bot.tools.prometheus import PrometheusServers
from playground import broken
from playground.child import leashed
from playground.prometheus import METRIC, PrometheusStandIn
from playground.server import run_in_thread

LIVE = os.environ.get("HIVEKEEPER_LIVE_PROMETHEUS", "")
LIVE_TOKEN = os.environ.get("HIVEKEEPER_LIVE_PROMETHEUS_TOKEN", "")
LIVE_CA = os.environ.get("HIVEKEEPER_LIVE_PROMETHEUS_CA", "")
REAL = pytest.param("real", marks=pytest.mark.slow)
WITH_DATA = ["stand-in", REAL]
ALL = [*WITH_DATA, *(["live"] if LIVE else [])]
QUERY = f"(sum by (status,method) (count_over_time({METRIC}{{}}[1h])))"
NOWHERE = "hivekeeper_contract_metric_that_nobody_has"


class Scraped(NamedTuple):
    at: float
    labels: dict[str, str]
    value: float = 1


def series(method: str, status: str, count: int, since: float = 3000, until: float = 60, **more: str) -> list[Scraped]:
    """So many samples, evenly from `since` to `until` seconds ago."""
    now, labels = time.time(), {"method": method, "status": status, **more}
    return [Scraped(now - since + (since - until) * turn / max(count - 1, 1), labels) for turn in range(count)]


Serve = Callable[[list[Scraped]], AbstractContextManager[PrometheusServers]]


@contextmanager
def stand_in(samples: list[Scraped]) -> Iterator[PrometheusServers]:
    prometheus = PrometheusStandIn()
    for scraped in samples:
        prometheus.sample(scraped.labels, scraped.at, scraped.value)
    server = run_in_thread(prometheus.app())
    yield PrometheusServers({"here": Prometheus(address=server.url)}, Secret)  # type: ignore[arg-type]  # not called
    server.stop()


@contextmanager
def live(_: list[Scraped]) -> Iterator[PrometheusServers]:
    auth = {"method": "bearer", "token": {"env": "TOKEN"}} if LIVE_TOKEN else {"method": "none"}
    settings = Prometheus.model_validate({"address": LIVE, "auth": auth, "ca_file": LIVE_CA or None})
    yield PrometheusServers({"here": settings}, lambda _: Secret(LIVE_TOKEN))


class Debian:
    """Prometheus and promtool as Debian packages them, in a folder of ours."""

    def __init__(self, folder: Path, find: Callable[[str], str]) -> None:
        self.folder = folder
        self.prometheus, self.promtool = find("prometheus"), find("promtool")
        self.password = secrets.token_hex()
        self.ca, key = _certificate(folder)
        users = f"basic_auth_users: {{keeper: '{_bcrypt(self.password)}'}}\n"
        (folder / "web.yml").write_text(f"tls_server_config: {{cert_file: {self.ca}, key_file: {key}}}\n{users}")
        (folder / "prometheus.yml").write_text("global: {scrape_interval: 1h}\n")

    @contextmanager
    def serve(self, samples: list[Scraped]) -> Iterator[PrometheusServers]:
        data = self.folder / secrets.token_hex(4)
        data.mkdir()
        if samples:
            (self.folder / "samples.om").write_text(_openmetrics(samples))
            load = [
                self.promtool,
                "tsdb",
                "create-blocks-from",
                "openmetrics",
                str(self.folder / "samples.om"),
                str(data),
            ]
            subprocess.run(load, check=True, capture_output=True, timeout=60)
        address = f"https://127.0.0.1:{broken.unused_port()}"
        with self._running(data, address):
            yield self.open(address)

    def open(self, address: str, password: str = "", ca: Path | None = None) -> PrometheusServers:
        auth = {"method": "basic", "username": "keeper", "password": {"env": "P"}}
        settings = Prometheus.model_validate(
            {"address": address, "auth": auth, "ca_file": ca or self.ca, "timeout": 30}
        )
        return PrometheusServers({"here": settings}, lambda _: Secret(password or self.password))

    @contextmanager
    def _running(self, data: Path, address: str) -> Iterator[None]:
        command = [
            self.prometheus, f"--config.file={self.folder}/prometheus.yml", f"--web.config.file={self.folder}/web.yml",
            f"--storage.tsdb.path={data}", f"--web.listen-address={address.removeprefix('https://')}",
        ]  # fmt: skip
        with (self.folder / "log").open("wb") as log:
            process = subprocess.Popen(leashed(command), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            self._ready(process, address)
            yield
        finally:
            process.terminate()
            process.wait(30)

    def _ready(self, process: subprocess.Popen[bytes], address: str) -> None:
        deadline = time.monotonic() + 60
        with httpx.Client(
            verify=ssl.create_default_context(cafile=self.ca), trust_env=False, auth=("keeper", self.password)
        ) as client:
            while time.monotonic() < deadline:
                assert process.poll() is None, (self.folder / "log").read_text()
                try:
                    if client.get(f"{address}/-/ready").status_code == 200:
                        return
                except httpx.HTTPError:
                    pass
                time.sleep(0.02)
        pytest.fail("Prometheus did not get ready")


def _openmetrics(samples: list[Scraped]) -> str:
    ordered = sorted(samples, key=lambda scraped: (sorted(scraped.labels.items()), scraped.at))
    lines = []
    for scraped in ordered:
        labels = ",".join(f'{name}="{text}"' for name, text in scraped.labels.items())
        value = "NaN" if math.isnan(scraped.value) else str(scraped.value)
        lines.append(f"{METRIC}{{{labels}}} {value} {scraped.at:.3f}")
    return "\n".join([f"# TYPE {METRIC} gauge", *lines, "# EOF", ""])


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


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory, server_binary: Callable[[str], str]) -> Debian:
    return Debian(tmp_path_factory.mktemp("prometheus"), server_binary)


@pytest.fixture
def serve(request: pytest.FixtureRequest) -> Serve:
    if request.param == "real":
        return request.getfixturevalue("debian").serve  # type: ignore[no-any-return]
    return live if request.param == "live" else stand_in


def counts(vector: Vector) -> dict[tuple[str, str], float | None]:
    return {(s.labels["method"], s.labels["status"]): s.value for s in vector.samples}


def lines(matrix: Matrix) -> dict[tuple[tuple[str, str], ...], list[tuple[float, float | None]]]:
    return {
        tuple(sorted(line.labels.items())): [(round(at, 3), value) for at, value in line.points]
        for line in matrix.lines
    }


SEED: list[dict[tuple[str, str], int]] = [
    {("jwt", "success"): 94},
    {("jwt", "success"): 34, ("jwt", "failed"): 14, ("token", "success"): 14},
    {("jwt", "success"): 5, ("jwt", "failed"): 311, ("token", "failed"): 311},
]


@pytest.mark.parametrize("wanted", SEED, ids=["healthy", "jwt fails", "both fail"])
@pytest.mark.parametrize("serve", WITH_DATA, indirect=True)
def test_the_results_of_the_seed(serve: Serve, wanted: dict[tuple[str, str], int]) -> None:
    """The seed's query counts scraped samples per method and status, over all instances; what never was is absent."""
    samples = [s for (method, status), count in wanted.items() for s in series(method, status, count - 1, instance="a")]
    samples += [s for method, status in wanted for s in series(method, status, 1, instance="b")]
    with serve(samples) as servers:
        assert counts(servers.now("here", QUERY)) == wanted


@pytest.mark.parametrize("serve", WITH_DATA, indirect=True)
def test_recent_or_no_longer(serve: Serve) -> None:
    """The count over an hour stays up after a recovery, a range query over short windows tells when it ended."""
    samples = [*series("jwt", "failed", 60, since=3000, until=1500), *series("jwt", "success", 60, since=1500, until=1)]
    with serve(samples) as servers:
        assert counts(servers.now("here", QUERY))["jwt", "failed"] == 60
        now = time.time()
        short = QUERY.replace("1h", "5m")
        found = lines(servers.over("here", short, start=now - 3000, end=now, step=60))
    failed = [at for at, value in found[("method", "jwt"), ("status", "failed")] if value]
    succeeded = [at for at, value in found[("method", "jwt"), ("status", "success")] if value]
    assert now - 1300 < failed[-1] + 60 <= now - 1000
    assert succeeded[-1] > now - 61
    assert min(succeeded) > now - 1560


@pytest.mark.parametrize("serve", WITH_DATA, indirect=True)
def test_numbers_that_say_nothing(serve: Serve) -> None:
    """NaN comes as a sample without a value."""
    with serve([Scraped(time.time() - 30, {"method": "jwt"}, float("nan"))]) as servers:
        assert [sample.value for sample in servers.now("here", METRIC).samples] == [None]


@pytest.mark.parametrize("serve", ALL, indirect=True)
def test_absent_is_empty(serve: Serve) -> None:
    """A metric that is not there is an empty result, now and over time, and `absent` says 1."""
    with serve([]) as servers:
        assert servers.now("here", NOWHERE).samples == ()
        assert servers.over("here", NOWHERE, start=time.time() - 60, end=time.time(), step=10).lines == ()
        assert [s.value for s in servers.now("here", f"absent({NOWHERE})").samples] == [1]


@pytest.mark.parametrize(
    "query", ["", "sum(", "sum by (a) (b", f"count_over_time({NOWHERE})", f"frobnicate({NOWHERE})"]
)
@pytest.mark.parametrize("serve", ALL, indirect=True)
def test_what_is_no_query_is_refused(serve: Serve, query: str) -> None:
    """A query that Prometheus does not understand is our own fault."""
    with serve([]) as servers, pytest.raises(Refused, match="did not understand the bot's query"):
        servers.now("here", query)


@pytest.mark.parametrize(("start", "end", "step"), [(0, 20_000, 1), (100, 0, 1), (0, 100, 0)])
@pytest.mark.parametrize("serve", ALL, indirect=True)
def test_ranges_that_cannot_be(serve: Serve, start: float, end: float, step: float) -> None:
    """More than 11,000 points, an end before the start and no step are refused."""
    with serve([]) as servers, pytest.raises(Refused, match="did not understand the bot's query"):
        servers.over("here", NOWHERE, start=start, end=end, step=step)


@pytest.mark.slow
def test_login_and_certificate(debian: Debian) -> None:
    """A wrong password and a foreign certificate are refused, each in its words."""
    other = debian.folder / "other"
    other.mkdir()
    foreign, _ = _certificate(other)
    with debian.serve([]) as servers:
        servers.now("here", NOWHERE)
        address = servers._servers["here"].address
        with pytest.raises(Refused, match="does not accept the bot's login"):
            debian.open(address, password="made up and wrong").now("here", NOWHERE)
        with pytest.raises(Refused, match="certificate that the bot does not trust"):
            debian.open(address, ca=foreign).now("here", NOWHERE)


SPOKEN = [
    METRIC, f"{METRIC}{{}}", f'{METRIC}{{method="jwt"}}', f'{METRIC}{{method!="jwt",status=~"f.*|x"}}',
    f'{METRIC}{{status!~"fail.*"}}', f'{METRIC}{{nothing=""}}', f"sum({METRIC})", f"count({METRIC})",
    f"sum by (method) ({METRIC})", f"sum({METRIC}) by (method)", f"max by (nothing) ({METRIC})",
    f"min by (status,) ({METRIC})", QUERY, f"count_over_time({METRIC}[7m30s])", f"sum_over_time({METRIC}[10m])",
    f"max_over_time({METRIC}[10m])", f"min_over_time({METRIC}[10m])", f"last_over_time({METRIC}[1h])",
    f"timestamp({METRIC})", f"absent({METRIC})", f"absent({NOWHERE})",
]  # fmt: skip


@pytest.mark.slow
def test_the_stand_in_speaks_as_the_real_one(debian: Debian) -> None:
    """Each query that the stand-in knows has the same lines, values and gaps on both, over the same samples."""
    samples = [Scraped(round(s.at, 3), s.labels, n % 7) for n, s in enumerate([
        *series("jwt", "success", 40, instance="a"), *series("jwt", "failed", 13, since=3000, until=1400, instance="a"),
        *series("jwt", "failed", 9, since=2900, until=900, instance="b"), *series("token", "failed", 3, instance="b"),
    ])]  # fmt: skip
    end = (
        round(time.time()) + 0.0005
    )  # between milliseconds: versions differ on whether a window holds its first moment
    with ExitStack() as stack:
        ours, real = stack.enter_context(stand_in(samples)), stack.enter_context(debian.serve(samples))
        for query in SPOKEN:
            asked: dict[str, Any] = {"start": end - 3600, "end": end, "step": 37.5}
            assert lines(ours.over("here", query, **asked)) == lines(real.over("here", query, **asked)), query
