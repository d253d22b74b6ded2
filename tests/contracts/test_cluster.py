"""What the bot relies on in Kubernetes to tell who a token is.

Always asked of the stand-in, new and old; of a real API server 1.20 where ../shared/tools/kube-apiserver can build one
(slow); and of your own when HIVEKEEPER_LIVE_CLUSTER (its address) and HIVEKEEPER_LIVE_CLUSTER_TOKEN (a service
account's) are set, with HIVEKEEPER_LIVE_CLUSTER_CA for its CA file. It only reads.
"""

from __future__ import annotations

import base64
import ctypes
import os
import secrets
import signal
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bot.core.errors import Refused
from bot.core.secret import Secret
from bot.settings import Cluster
from bot.tools.cluster import Clusters
from playground.broken import unused_port
from playground.cluster import ClusterStandIn
from playground.server import run_in_thread

BUILD = Path(__file__).parents[3] / "shared" / "tools" / "kube-apiserver"
LIVE, LIVE_TOKEN, LIVE_CA = (os.environ.get(f"HIVEKEEPER_LIVE_CLUSTER{part}", "") for part in ("", "_TOKEN", "_CA"))
NAME = "system:serviceaccount:hive:hive-frontend"
PLACES: list[Any] = ["stand-in", "old stand-in"]
if BUILD.exists():  # its first build takes four minutes
    PLACES.append(pytest.param("kube-apiserver", marks=[pytest.mark.slow, pytest.mark.timeout(900)]))
if LIVE and LIVE_TOKEN:
    PLACES.append("live")


@dataclass
class Place:
    """A cluster to ask, a token it accepts, and what it calls its owner (None: it cannot say; "": we cannot know)."""

    url: str
    token: str = field(repr=False)
    name: str | None
    ca_file: Path | None = None
    revoke: Callable[[], None] | None = None

    @property
    def clusters(self) -> Clusters:
        return Clusters({"hive": Cluster(address=self.url, ca_file=self.ca_file)})

    def get(self, path: str, token: str | None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        with httpx.Client(trust_env=False, verify=trusting(self.ca_file)) as client:
            return client.get(self.url + path, headers=headers)


@pytest.fixture(scope="module", params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    if request.param == "live":
        yield Place(LIVE.rstrip("/"), LIVE_TOKEN, "", Path(LIVE_CA) if LIVE_CA else None)
    elif request.param == "kube-apiserver":
        find = request.getfixturevalue("server_binary")
        yield from api_server(tmp_path_factory.mktemp("kube"), find("etcd"))
    else:
        yield from stand_in(reviews=request.param == "stand-in")


def stand_in(*, reviews: bool) -> Iterator[Place]:
    cluster, token = ClusterStandIn(reviews=reviews), secrets.token_hex()
    cluster.accept(token, NAME)
    server = run_in_thread(cluster.app())
    yield Place(server.url, token, NAME if reviews else None, revoke=lambda: cluster.revoke(token))
    server.stop()


def test_a_service_account_is_known(place: Place) -> None:
    """The bot is told the account's name where the cluster knows SelfSubjectReview, and that it is accepted elsewhere."""
    name = place.clusters.who("hive", Secret(place.token)).name
    assert name == place.name if place.name != "" else name is None or name.startswith("system:")


def test_any_other_token_is_refused(place: Place) -> None:
    """A made-up token, and the right one with its end cut off, are 401 and Refused."""
    for token in (secrets.token_hex(), place.token[:-3]):
        with pytest.raises(Refused, match=r"does not accept the token \(401\)"):
            place.clusters.who("hive", Secret(token))


def test_the_answers_themselves(place: Place) -> None:
    """/apis lists the groups for whom the cluster accepts; 401 with a Status otherwise; nobody is 401 or 403."""
    told = place.get("/apis", place.token)
    assert (told.status_code, told.json()["kind"]) == (200, "APIGroupList")
    refused = place.get("/apis", "nobodys")
    assert (refused.status_code, refused.json()["kind"], refused.json()["code"]) == (401, "Status", 401)
    assert place.get("/apis", None).status_code in (401, 403)


def test_a_revoked_token_is_refused(place: Place) -> None:
    """Last, where we may: once the token's secret is gone the cluster refuses it."""
    if place.revoke is None:
        return
    place.revoke()
    wait(lambda: place.get("/apis", place.token).status_code == 401, 40)  # it keeps what it accepted for ten seconds
    with pytest.raises(Refused):
        place.clusters.who("hive", Secret(place.token))


# --- a real API server, with etcd and the controller that issues legacy tokens -----------------------------


def api_server(folder: Path, etcd: str) -> Iterator[Place]:
    found = subprocess.run([str(BUILD)], stdout=subprocess.PIPE, text=True, check=True, timeout=800)
    programs = Path(found.stdout.strip())
    admin, controller = secrets.token_hex(), secrets.token_hex()
    write_keys(folder, admin, controller)
    children: list[subprocess.Popen[bytes]] = []
    try:
        store, port = start_etcd(folder, etcd, children), unused_port()
        start(folder, children, str(programs / "kube-apiserver"), f"--etcd-servers={store}", "--bind-address=127.0.0.1",
              f"--secure-port={port}", "--advertise-address=127.0.0.1", f"--cert-dir={folder}/certs",
              "--service-account-issuer=https://kubernetes.default.svc", f"--token-auth-file={folder}/tokens.csv",
              f"--service-account-signing-key-file={folder}/sa.key", f"--service-account-key-file={folder}/sa.pub",
              "--service-cluster-ip-range=10.0.0.0/24", "--authorization-mode=RBAC")  # fmt: skip
        url, ca = f"https://127.0.0.1:{port}", folder / "certs" / "apiserver.crt"
        wait(lambda: ca.exists() and answers(url + "/readyz", ca), 60)
        write_kubeconfig(folder, url, ca, controller)
        start(folder, children, str(programs / "kube-controller-manager"), f"--kubeconfig={folder}/kubeconfig",
              f"--authentication-kubeconfig={folder}/kubeconfig", f"--authorization-kubeconfig={folder}/kubeconfig",
              "--port=0", f"--secure-port={unused_port()}", "--bind-address=127.0.0.1", "--leader-elect=false",
              "--use-service-account-credentials=true", f"--cert-dir={folder}/certs-of-manager",
              f"--service-account-private-key-file={folder}/sa.key")  # fmt: skip
        headers = {"Authorization": f"Bearer {admin}"}
        with httpx.Client(base_url=url, headers=headers, verify=trusting(ca), trust_env=False, timeout=20) as client:
            token, revoke = legacy_token(client)
            yield Place(url, token, None, ca, revoke)
    finally:
        for child in reversed(children):
            child.kill()
            child.wait(10)


def start(folder: Path, children: list[subprocess.Popen[bytes]], *command: str) -> None:
    """A child that dies with this process, its output in a file."""
    libc = ctypes.CDLL(None)
    with (folder / f"{Path(command[0]).name}.log").open("wb") as log:
        child = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                 preexec_fn=lambda: libc.prctl(1, signal.SIGKILL))  # fmt: skip  # noqa: PLW1509 - one system call
    children.append(child)


def start_etcd(folder: Path, etcd: str, children: list[subprocess.Popen[bytes]]) -> str:
    client, peer = (f"http://127.0.0.1:{unused_port()}" for _ in range(2))
    start(folder, children, etcd, f"--data-dir={folder}/etcd", f"--listen-client-urls={client}",
          f"--advertise-client-urls={client}", f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}",
          f"--initial-cluster=default={peer}", "--unsafe-no-fsync", "--logger=zap")  # fmt: skip
    wait(lambda: answers(client + "/health", None), 30)
    return client


def write_keys(folder: Path, admin: str, controller: str) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form, none = serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    (folder / "sa.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, none))
    public = serialization.PublicFormat.SubjectPublicKeyInfo
    (folder / "sa.pub").write_bytes(key.public_key().public_bytes(serialization.Encoding.PEM, public))
    rows = f'{admin},admin,1,"system:masters"\n{controller},system:kube-controller-manager,2\n'
    (folder / "tokens.csv").write_text(rows)


def write_kubeconfig(folder: Path, url: str, ca: Path, token: str) -> None:
    (folder / "kubeconfig").write_text(
        "{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, user: u}}], "
        f"clusters: [{{name: c, cluster: {{server: '{url}', certificate-authority: '{ca}'}}}}], "
        f"users: [{{name: u, user: {{token: '{token}'}}}}]}}"
    )


def legacy_token(client: httpx.Client) -> tuple[str, Callable[[], None]]:
    """The token that a cluster before 1.24 makes by itself for each new service account, and how to revoke it."""
    client.post("/api/v1/namespaces", json={"metadata": {"name": "hive"}}).raise_for_status()
    accounts, held = "/api/v1/namespaces/hive/serviceaccounts", "/api/v1/namespaces/hive/secrets"
    client.post(accounts, json={"metadata": {"name": "hive-frontend"}}).raise_for_status()

    def secret() -> dict[str, Any] | None:
        items = client.get(held).json()["items"]
        return next((i for i in items if i["metadata"]["name"].startswith("hive-frontend-token-")), None)

    wait(lambda: secret() is not None, 60)
    made = secret()
    assert made is not None
    token = base64.b64decode(made["data"]["token"]).decode()
    return token, lambda: client.delete(f"{held}/{made['metadata']['name']}").raise_for_status() and None


def trusting(ca: Path | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(ca) if ca else None)


def answers(url: str, ca: Path | None) -> bool:
    try:
        with httpx.Client(trust_env=False, verify=trusting(ca)) as client:
            return client.get(url).status_code == 200
    except (httpx.HTTPError, OSError):
        return False


def wait(done: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.05)
