"""A real Kubernetes API server for the tests (fixture `kube`), and a hand that can arrange things in any cluster.

    namespace = kube.namespace()                                    # a fresh one
    token = kube.account(namespace, rules=[{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}])
    kube.deployment(namespace, "web", image="registry.example.com/web:1", pull_secrets=("ecr-secret",))
    kube.running(namespace); kube.failing(namespace, reason="ErrImagePull", message="…")    # there is no kubelet
    kube.define("machineconfiguration.openshift.io", "MachineConfigPool")

There is etcd, the API server 1.20 with RBAC, and the controllers; no kubelet, so the pods' states are written by hand.
"""

from __future__ import annotations

import ctypes
import os
import secrets
import signal
import ssl
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from playground.broken import unused_port
from tests.waiting import until

BUILD = Path(__file__).parents[2] / "shared" / "tools" / "kube-apiserver"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
PATHS = {"Role": "roles", "RoleBinding": "rolebindings", "ClusterRole": "clusterroles",
         "ClusterRoleBinding": "clusterrolebindings"}  # fmt: skip
NODE = "node-1"
Document = dict[str, Any]


@dataclass
class Kube:
    """A cluster and the token of somebody who may do everything in it."""

    url: str
    admin: str = field(repr=False)
    ca_file: Path | None = None
    made: list[str] = field(default_factory=list)  # namespaces

    @cached_property
    def client(self) -> httpx.Client:
        trust: Any = ssl.create_default_context(cafile=str(self.ca_file)) if self.ca_file else True
        return httpx.Client(base_url=self.url, verify=trust, trust_env=False, timeout=60)

    def ask(self, method: str, path: str, body: Any = None, token: str | None = None) -> httpx.Response:
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        headers = {"Authorization": f"Bearer {token or self.admin}", "Content-Type": kind}
        return self.client.request(method, path, json=body, headers=headers)

    def must(self, method: str, path: str, body: Any = None) -> Document:
        response = self.ask(method, path, body)
        assert response.is_success, f"{method} {path}: {response.status_code} {response.text[:500]}"
        return dict(response.json())

    def namespace(self, name: str = "") -> str:
        made = name or f"t-{secrets.token_hex(4)}"
        self.must("POST", "/api/v1/namespaces", {"metadata": {"name": made}})
        self.made.append(made)
        return made

    def account(self, namespace: str, name: str = "bot", rules: Sequence[Document] = ()) -> str:
        """A service account with these rights in its namespace, and a token of it for an hour."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts"
        self.must("POST", path, {"metadata": {"name": name}})
        if rules:
            self.grant(namespace, rules, f"{namespace}/{name}")
        spec = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
        return str(self.must("POST", f"{path}/{name}/token", spec)["status"]["token"])

    def grant(self, namespace: str, rules: Sequence[Document], account: str) -> None:
        """A Role in the namespace ("" for a ClusterRole) with these rules, for the account ("namespace/name")."""
        scope, kind = (f"/namespaces/{namespace}", "Role") if namespace else ("", "ClusterRole")
        name, (home, who) = f"r-{secrets.token_hex(4)}", account.split("/")
        self.must("POST", f"{RBAC}{scope}/{PATHS[kind]}", {"metadata": {"name": name}, "rules": list(rules)})
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}
        subject = {"kind": "ServiceAccount", "name": who, "namespace": home}
        body = {"metadata": {"name": name}, "roleRef": reference, "subjects": [subject]}
        self.must("POST", f"{RBAC}{scope}/{PATHS[kind + 'Binding']}", body)

    def apply(self, manifest: Path, words: dict[str, str]) -> list[Document]:
        """Make all roles and bindings of a manifest, with these words in it replaced by others."""
        text = manifest.read_text()
        for word, other in words.items():
            text = text.replace(word, other)
        documents = [document for document in yaml.safe_load_all(text) if document]
        for document in documents:
            self.must("POST", rbac_path(document), document)
        return documents

    def secret(self, namespace: str, name: str, body: Document) -> Document:
        return self.must("POST", f"/api/v1/namespaces/{namespace}/secrets", {"metadata": {"name": name}, **body})

    def deployment(
        self, namespace: str, name: str, *, image: str = "registry.example.com/web:1", replicas: int = 1,
        pull_secrets: Sequence[str] = (), paused: bool = False, wait: bool = True,
    ) -> None:  # fmt: skip
        """With `wait`, returns when its pods are there."""
        labels = {"app": name}
        pod = {"containers": [{"name": "main", "image": image}],
               "imagePullSecrets": [{"name": each} for each in pull_secrets]}  # fmt: skip
        spec = {"replicas": replicas, "paused": paused, "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod}}  # fmt: skip
        self.must(
            "POST", f"/apis/apps/v1/namespaces/{namespace}/deployments", {"metadata": {"name": name}, "spec": spec}
        )
        if wait:
            until(lambda: len(self.pods(namespace, name)) == replicas, 60)

    def pods(self, namespace: str, app: str = "") -> list[Document]:
        """Those that are not being removed."""
        items = self.must("GET", f"/api/v1/namespaces/{namespace}/pods")["items"]
        return [p for p in items if not p["metadata"].get("deletionTimestamp")
                and (not app or p["metadata"].get("labels", {}).get("app") == app)]  # fmt: skip

    def running(self, namespace: str, app: str = "") -> None:
        """What a kubelet would do: all pods run and are ready."""
        for pod in self.pods(namespace, app):
            state = [{**_container(c), "ready": True, "state": {"running": {}}} for c in pod["spec"]["containers"]]
            ready = [{"type": kind, "status": "True"} for kind in ("Ready", "ContainersReady", "PodScheduled")]
            self._status(pod, {"phase": "Running", "conditions": ready, "containerStatuses": state})

    def failing(self, namespace: str, app: str = "", *, reason: str, message: str) -> None:
        """… or they wait with that reason."""
        for pod in self.pods(namespace, app):
            waiting = {"waiting": {"reason": reason, "message": message}}
            state = [{**_container(c), "ready": False, "state": waiting} for c in pod["spec"]["containers"]]
            self._status(pod, {"phase": "Pending", "containerStatuses": state})

    def gone(self, namespace: str) -> None:
        """What a kubelet would do: pods that are being removed end."""
        for pod in self.must("GET", f"/api/v1/namespaces/{namespace}/pods")["items"]:
            if pod["metadata"].get("deletionTimestamp"):
                self.ask("DELETE", _pod(pod), {"gracePeriodSeconds": 0})

    def define(self, group: str, kind: str) -> None:
        """A kind of OpenShift's that belongs to no namespace; nothing if it is there."""
        plural = f"{kind.lower()}s"
        if self.ask("GET", f"/apis/{group}/v1/{plural}").is_success:
            return
        schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        version = {"name": "v1", "served": True, "storage": True, "subresources": {"status": {}},
                   "schema": {"openAPIV3Schema": schema}}  # fmt: skip
        names = {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"}
        spec = {"group": group, "scope": "Cluster", "names": names, "versions": [version]}
        made = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                "metadata": {"name": f"{plural}.{group}"}, "spec": spec}  # fmt: skip
        told = self.ask("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", made)
        assert told.status_code in (201, 409), told.text
        until(lambda: self.ask("GET", f"/apis/{group}/v1/{plural}").is_success)

    def clear(self) -> None:
        """Remove the namespaces that were made."""
        for name in self.made:
            self.ask("DELETE", f"/api/v1/namespaces/{name}")

    def _status(self, pod: Document, status: Document) -> None:
        if not pod["spec"].get("nodeName"):
            self.ask("POST", "/api/v1/nodes", {"metadata": {"name": NODE}})  # 409 from the second time on
            binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": pod["metadata"]["name"]},
                       "target": {"apiVersion": "v1", "kind": "Node", "name": NODE}}  # fmt: skip
            self.must("POST", f"{_pod(pod)}/binding", binding)
        self.must("PATCH", f"{_pod(pod)}/status", {"status": status})


def rbac_path(document: Document) -> str:
    """Where all roles or bindings of a kind are."""
    namespace = document["metadata"].get("namespace")
    return f"{RBAC}{f'/namespaces/{namespace}' if namespace else ''}/{PATHS[document['kind']]}"


def _pod(pod: Document) -> str:
    return f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"


def _container(container: Document) -> Document:
    return {"name": container["name"], "image": container["image"], "imageID": "", "restartCount": 0, "started": True}


@pytest.fixture(scope="session")
def kube(tmp_path_factory: pytest.TempPathFactory, server_binary: Callable[[str], str]) -> Iterator[Kube]:
    """Once for all tests. Its first build, per machine, takes four minutes."""
    if not BUILD.exists() and os.environ.get("CI"):
        pytest.fail("../shared/tools/kube-apiserver is not there, and CI skips nothing")
    if not BUILD.exists():
        pytest.skip("../shared/tools/kube-apiserver is not there")
    found = subprocess.run([str(BUILD)], stdout=subprocess.PIPE, text=True, check=True, timeout=800)
    yield from started(tmp_path_factory.mktemp("kube"), server_binary("etcd"), Path(found.stdout.strip()))


def started(folder: Path, etcd: str, programs: Path) -> Iterator[Kube]:
    """etcd, the API server and the controllers, until the generator is closed."""
    admin, controller = secrets.token_hex(), secrets.token_hex()
    _write_keys(folder, admin, controller)
    children: list[subprocess.Popen[bytes]] = []
    try:
        store, port = _start_etcd(folder, etcd, children), unused_port()
        _start(folder, children, str(programs / "kube-apiserver"), f"--etcd-servers={store}",
               "--bind-address=127.0.0.1", f"--secure-port={port}", "--advertise-address=127.0.0.1",
               f"--cert-dir={folder}/certs", "--service-account-issuer=https://kubernetes.default.svc",
               f"--token-auth-file={folder}/tokens.csv", f"--service-account-signing-key-file={folder}/sa.key",
               f"--service-account-key-file={folder}/sa.pub", "--service-cluster-ip-range=10.0.0.0/24",
               "--authorization-mode=RBAC")  # fmt: skip
        made = Kube(f"https://127.0.0.1:{port}", admin, folder / "certs" / "apiserver.crt")
        until(lambda: (folder / "certs" / "apiserver.crt").exists() and _ready(made, children[-1]))
        _write_kubeconfig(folder, made, controller)
        _start(folder, children, str(programs / "kube-controller-manager"), f"--kubeconfig={folder}/kubeconfig",
               f"--authentication-kubeconfig={folder}/kubeconfig", f"--authorization-kubeconfig={folder}/kubeconfig",
               "--port=0", f"--secure-port={unused_port()}", "--bind-address=127.0.0.1", "--leader-elect=false",
               "--use-service-account-credentials=true", f"--cert-dir={folder}/certs-of-manager",
               "--controllers=*,-nodelifecycle,-nodeipam",  # nobody tells how the node is
               f"--service-account-private-key-file={folder}/sa.key")  # fmt: skip
        accounts = "/api/v1/namespaces/default/serviceaccounts/default"
        until(lambda: made.ask("GET", accounts).is_success)
        yield made
    finally:
        for child in reversed(children):
            child.kill()
            child.wait(10)


def _ready(made: Kube, server: subprocess.Popen[bytes]) -> bool:
    assert server.poll() is None, "the API server did not start"
    try:
        return made.ask("GET", "/readyz").is_success
    except httpx.HTTPError:
        return False


def _start(folder: Path, children: list[subprocess.Popen[bytes]], *command: str) -> None:
    """A child that dies with this process, its output in a file."""
    libc = ctypes.CDLL(None)
    with (folder / f"{Path(command[0]).name}.log").open("wb") as log:
        child = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                 preexec_fn=lambda: libc.prctl(1, signal.SIGKILL))  # fmt: skip  # noqa: PLW1509 - one system call
    children.append(child)


def _start_etcd(folder: Path, etcd: str, children: list[subprocess.Popen[bytes]]) -> str:
    client, peer = (f"http://127.0.0.1:{unused_port()}" for _ in range(2))
    _start(folder, children, etcd, f"--data-dir={folder}/etcd", f"--listen-client-urls={client}",
           f"--advertise-client-urls={client}", f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}",
           f"--initial-cluster=default={peer}", "--unsafe-no-fsync", "--logger=zap")  # fmt: skip
    until(lambda: _healthy(client))
    return client


def _healthy(address: str) -> bool:
    try:
        return httpx.get(f"{address}/health", trust_env=False).is_success
    except httpx.HTTPError:
        return False


def _write_keys(folder: Path, admin: str, controller: str) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form, none = serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    (folder / "sa.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, none))
    public = serialization.PublicFormat.SubjectPublicKeyInfo
    (folder / "sa.pub").write_bytes(key.public_key().public_bytes(serialization.Encoding.PEM, public))
    rows = f'{admin},admin,1,"system:masters"\n{controller},system:kube-controller-manager,2\n'
    (folder / "tokens.csv").write_text(rows)


def _write_kubeconfig(folder: Path, made: Kube, token: str) -> None:
    (folder / "kubeconfig").write_text(
        "{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, user: u}}], "
        f"clusters: [{{name: c, cluster: {{server: '{made.url}', certificate-authority: '{made.ca_file}'}}}}], "
        f"users: [{{name: u, user: {{token: '{token}'}}}}]}}"
    )
