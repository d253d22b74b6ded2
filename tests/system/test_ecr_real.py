"""The same refresh with real parts: a Kubernetes API server with its controllers and deploy/rbac, moto for STS, IAM and
ECR with its rights enforced, and Debian's docker-registry, which takes the login that the bot has written."""

from __future__ import annotations

import base64
import ctypes
import hashlib
import json
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from playground.broken import unused_port
from playground.child import clean_environment, leashed
from playground.server import run_in_thread
from tests.kube import Kube, rbac_path

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ACCOUNT, REGION, REPOSITORY = "123456789012", "us-east-1", "consultingfirm/frontend"  # moto has this account only
HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
IMAGE = f"{HOST}/{REPOSITORY}:latest"
RBAC = Path(__file__).parents[2] / "deploy" / "rbac" / "ecr.yaml"
SECRET, OTHER = "ecr-secret", "quay.io"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
PULL = ["ecr:GetAuthorizationToken", "sts:GetCallerIdentity"]


@contextmanager
def child(command: list[str], log: Path, address: str, **environment: str) -> Iterator[str]:
    """A server that answers at this address, until the block ends."""
    with log.open("wb") as output:
        process = subprocess.Popen(leashed(command), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                   env=clean_environment() | environment)  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            assert process.poll() is None, log.read_text()
            try:
                httpx.get(address, trust_env=False)
                break
            except httpx.HTTPError:
                time.sleep(0.05)
        yield address
    finally:
        process.terminate()
        process.wait(20)


class Amazon:
    """moto, which speaks AWS's protocols, checks signatures and enforces IAM. `right_time`: moto's logins have all ended
    in 2015, so what it says of that is corrected on the way; nothing else is."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.operations: list[str] = []
        import botocore.session

        given = {"region_name": REGION, "endpoint_url": url, "aws_access_key_id": "x", "aws_secret_access_key": "x"}
        iam = botocore.session.Session().create_client("iam", **given)
        iam.create_user(UserName="hivekeeper")
        self.key = iam.create_access_key(UserName="hivekeeper")["AccessKey"]
        iam.put_user_policy(UserName="hivekeeper", PolicyName="p", PolicyDocument=policy("sts:AssumeRole"))
        self.role = iam.create_role(RoleName="puller", AssumeRolePolicyDocument=policy("sts:AssumeRole"))["Role"]["Arn"]
        iam.put_role_policy(RoleName="puller", PolicyName="p", PolicyDocument=policy(*PULL))

    async def right_time(self, request: Request) -> Response:
        self.operations.append(request.headers.get("X-Amz-Target", "").rpartition(".")[2])
        async with httpx.AsyncClient(trust_env=False) as client:
            headers = {name: value for name, value in request.headers.items() if name != "accept-encoding"}
            answer = await client.post(f"{self.url}/", content=await request.body(), headers=headers)
        document = answer.json()
        for each in document.get("authorizationData", ()):
            each["expiresAt"] = time.time() + 12 * 3600
        return Response(json.dumps(document), answer.status_code, media_type=answer.headers["Content-Type"])


def policy(*actions: str) -> str:
    return json.dumps({"Version": "2012-10-17",
                       "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]})  # fmt: skip


@pytest.fixture(scope="module")
def amazon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Amazon]:
    port = unused_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    log = tmp_path_factory.mktemp("moto") / "log"
    with child(command, log, f"http://127.0.0.1:{port}", INITIAL_NO_AUTH_ACTION_COUNT="6") as url:
        yield Amazon(url)


PASSWORD = f"{ACCOUNT}-auth-token"  # moto's, always


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory, server_binary: Callable[[str], str]) -> Iterator[str]:
    """With the image, for who has the password."""
    folder, port = tmp_path_factory.mktemp("registry"), unused_port()
    (folder / "htpasswd").write_text(f"AWS:{bcrypt(PASSWORD)}\n")
    config = {
        "version": 0.1, "log": {"accesslog": {"disabled": True}, "level": "error"},
        "auth": {"htpasswd": {"realm": HOST, "path": str(folder / "htpasswd")}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": f"127.0.0.1:{port}", "secret": secrets.token_hex()},
    }  # fmt: skip
    (folder / "config.yml").write_text(yaml.safe_dump(config))
    command = [server_binary("docker-registry"), "serve", str(folder / "config.yml")]
    with child(command, folder / "log", f"http://127.0.0.1:{port}") as url:
        push(httpx.Client(base_url=url, auth=("AWS", PASSWORD), trust_env=False))
        yield url


def bcrypt(password: str) -> str:
    """docker-registry wants that; the C library has it."""
    library = ctypes.CDLL("libcrypt.so.1")
    library.crypt.restype = library.crypt_gensalt.restype = ctypes.c_char_p
    salt = library.crypt_gensalt(b"$2b$", ctypes.c_ulong(4), secrets.token_bytes(16), 16)
    return str(library.crypt(password.encode(), salt).decode())


def push(client: httpx.Client) -> None:
    config = b"{}"
    digest = f"sha256:{hashlib.sha256(config).hexdigest()}"
    where = client.post(f"/v2/{REPOSITORY}/blobs/uploads/").raise_for_status().headers["Location"]
    client.put(where, params=httpx.URL(where).params.set("digest", digest), content=config).raise_for_status()
    held = {"mediaType": "application/vnd.docker.container.image.v1+json", "size": len(config), "digest": digest}
    image = {"schemaVersion": 2, "mediaType": MANIFEST, "config": held, "layers": []}
    headers = {"Content-Type": MANIFEST}
    path = f"/v2/{REPOSITORY}/manifests/latest"
    client.put(path, content=json.dumps(image), headers=headers).raise_for_status()


class Place:
    """A namespace of the real cluster with deploy/rbac applied for the bot, a Deployment, and an old pull secret."""

    def __init__(self, kube: Kube) -> None:
        self.kube, self.space, home = kube, kube.namespace(), kube.namespace()
        self.token = kube.account(home, "hivekeeper")
        words = {"namespace: hivekeeper": f"namespace: {home}", "name: hivekeeper-": f"name: {self.space}-",
                 "cf-dev": self.space}  # fmt: skip
        self.roles = {one["metadata"]["name"]: one for one in kube.apply(RBAC, words) if one["kind"] == "Role"}
        auths = {host: {"auth": encoded("somebody:a word")} for host in (OTHER, HOST)}
        body = {"type": "kubernetes.io/dockerconfigjson",
                "data": {".dockerconfigjson": encoded(json.dumps({"auths": auths}))}}  # fmt: skip
        kube.secret(self.space, SECRET, body)
        kube.deployment(self.space, "frontend", image=IMAGE, pull_secrets=(SECRET,))
        kube.running(self.space)

    def secret(self) -> dict[str, Any]:
        return self.kube.must("GET", f"/api/v1/namespaces/{self.space}/secrets/{SECRET}")

    def auths(self) -> dict[str, Any]:
        return dict(json.loads(base64.b64decode(self.secret()["data"][".dockerconfigjson"]))["auths"])

    def deployment(self) -> dict[str, Any]:
        return self.kube.must("GET", f"/apis/apps/v1/namespaces/{self.space}/deployments/frontend")

    @contextmanager
    def kubelet(self) -> Iterator[None]:
        """What is bound runs, what is removed ends: there is no kubelet."""
        ended = threading.Event()

        def live() -> None:
            while not ended.wait(0.2):
                self.kube.running(self.space)
                self.kube.gone(self.space)

        thread = threading.Thread(target=live, daemon=True)
        thread.start()
        yield
        ended.set()
        thread.join(20)

    @contextmanager
    def without(self, verb: str, resource: str) -> Iterator[None]:
        """The bot's role lacks this right until the block ends."""
        role = self.roles[f"{self.space}-ecr"]
        path = f"{rbac_path(role)}/{role['metadata']['name']}"
        rules = [{**one, "verbs": [each for each in one["verbs"] if each != verb]} if resource in one["resources"] else one
                 for one in role["rules"]]  # fmt: skip
        self.kube.must("PUT", path, {**role, "rules": [one for one in rules if one["verbs"]]})
        yield
        self.kube.must("PUT", path, role)


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.fixture(scope="module")
def place(kube: Kube) -> Place:
    return Place(kube)


@pytest.fixture(scope="module")
def made(
    started: Callable[..., Any], place: Place, amazon: Amazon, registry: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """The bot in the playground's Slack, with everything else real. It takes a role on to come at ECR."""
    folder = tmp_path_factory.mktemp("keys")
    corrected = run_in_thread(Starlette(routes=[Route("/", amazon.right_time, methods=["POST"])]))

    def kept(name: str, text: str) -> dict[str, str]:
        (folder / name).write_text(text)
        return {"file": str(folder / name)}

    def adjust(settings: dict[str, Any]) -> None:
        cluster = {"address": place.kube.url, "ca_file": str(place.kube.ca_file), "token": kept("token", place.token)}
        settings["clusters"]["real"] = {**cluster, "timeout": 20}
        keys = {"method": "static", "access_key_id": kept("id", amazon.key["AccessKeyId"]),
                "secret_access_key": kept("key", amazon.key["SecretAccessKey"])}  # fmt: skip
        role = {"method": "assume_role", "role_arn": amazon.role, "source": "keys"}
        at = {"region": REGION, "endpoint_url": corrected.url, "sts_endpoint_url": amazon.url, "timeout": 20}
        settings["aws"] = {"keys": {**at, "auth": keys}, "default": {**at, "auth": role}}
        settings["registries"] = {HOST: {"address": registry}}
        dev = {"cluster": "real", "namespaces": [place.space], "registry": HOST, "image": f"{REPOSITORY}:latest",
               "restart": True}  # fmt: skip
        settings["commands"]["refresh-ecr"]["settings"] = {"environments": {"dev": dev}}
        settings["schedules"] = {}

    yield started(1, name="real", adjust=adjust)
    corrected.stop()


@pytest.fixture
def scene(made: Any, watched: Callable[[Any], Any], amazon: Amazon, place: Place, canary: Any) -> Any:
    for name, secret in (("aws key", amazon.key["SecretAccessKey"]), ("token", place.token), ("password", PASSWORD)):
        canary.add(name, secret)
    return watched(made)


def asked(scene: Any, system: Any, text: str) -> str:
    run = str(scene.ask(text=text, command="/refresh-ecr"))
    system.until(lambda: scene.state(run) not in ("asked", "planning"), 60, lambda: scene.about(run))
    system.until(scene.quiet)
    return run


def test_a_right_that_is_missing_is_named(scene: Any, system: Any, place: Place) -> None:
    """With one verb less than deploy/rbac grants, the answer names the verb and where, and nothing is changed."""
    before = place.secret()["metadata"]["resourceVersion"]
    with place.without("update", "secrets"):
        run = asked(scene, system, "dev")
        assert scene.state(run) == "refused", scene.about(run)
        assert "The bot may not update secrets" in scene.text(run), scene.text(run)
        assert f"in {place.space} of cluster real" in scene.text(run)
    assert place.secret()["metadata"]["resourceVersion"] == before


def test_a_refresh(scene: Any, system: Any, place: Place, amazon: Amazon, registry: str) -> None:
    """By a role taken on, with exactly the rights of deploy/rbac: the registry takes what is in the secret afterwards,
    its other login stays, the Deployment has new pods, and a second run finds nothing to do."""
    run = asked(scene, system, "dev")
    assert "Refresh 1 ECR pull secret and restart 1 Deployment" in scene.text(run), scene.text(run)
    assert f"arn:aws:sts::{ACCOUNT}:assumed-role/puller/" in scene.text(run)
    with place.kubelet():
        scene.approve(run)
        report = scene.ended(run, "done")
    assert "Next refresh needed" in report
    auths = place.auths()
    assert set(auths) == {HOST, OTHER}
    user, _, password = base64.b64decode(auths[HOST]["auth"]).decode().partition(":")
    manifest = f"{registry}/v2/{REPOSITORY}/manifests/latest"
    headers = {"Accept": MANIFEST}
    assert httpx.get(manifest, auth=(user, password), headers=headers, trust_env=False).status_code == 200
    found = place.deployment()
    assert "kubectl.kubernetes.io/restartedAt" in found["spec"]["template"]["metadata"]["annotations"]
    assert found["status"]["availableReplicas"] == found["status"]["updatedReplicas"] == 1
    assert "Fresh, nothing to do" in scene.ended(asked(scene, system, "dev"), "answered")
    assert amazon.operations.count("GetAuthorizationToken") <= 2, "one token for the plan and what it writes"
    scene.sound()
