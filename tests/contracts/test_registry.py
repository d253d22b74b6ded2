"""What the bot relies on in container registries. Always asked of both stand-ins; slow: of Debian's docker-registry with
Basic login and with a token service; and, as far as that needs no data of ours, of the image that
HIVEKEEPER_LIVE_REGISTRY names (host/repository:tag; HIVEKEEPER_LIVE_REGISTRY_USER and _PASSWORD for a login that may
pull it, HIVEKEEPER_LIVE_REGISTRY_CA for a CA file)."""

from __future__ import annotations

import base64
import ctypes
import datetime
import hashlib
import json
import os
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.cloud import Registry
from bot.core.registry import Login, Pull, image
from bot.core.secret import Secret
from bot.tools.registries import AskedRegistries
from playground import broken, registry_answers
from playground.child import leashed
from playground.registry import RegistryStandIn
from playground.server import run_in_thread

LIVE = os.environ.get("HIVEKEEPER_LIVE_REGISTRY", "")
ECR = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
PLATFORMS = ("linux/amd64", "linux/arm64/v8")
REPOSITORY, TAG, LIST_TAG = "team/app", "v1", "all"
SLOW = pytest.mark.slow
OURS = ["ecr", "quay"]
REAL = [pytest.param("basic", marks=SLOW), pytest.param("token", marks=SLOW)]
ALL = [*OURS, *REAL]


@dataclass
class Scene:
    """A registry with an image at `host`: one who may pull it, one with a login who may not (if there is such)."""

    host: str
    address: str | None
    good: Login = field(default_factory=lambda: Login("keeper", Secret(secrets.token_hex())))
    stranger: Login | None = None
    ca_file: Path | None = None
    repository: str = REPOSITORY
    tag: str = TAG
    digest: str = ""

    @property
    def tool(self) -> AskedRegistries:
        return AskedRegistries({self.host: Registry(address=self.address, ca_file=self.ca_file, timeout=60)})

    def pull(self, reference: str, login: Login | None, repository: str = "") -> Pull:
        mark = "@" if ":" in reference else ":"
        return self.tool.pull(image(f"{self.host}/{repository or self.repository}{mark}{reference}"), login)


def stand_in(kind: Any) -> Iterator[Scene]:
    logins = {name: secrets.token_hex() for name in ("keeper", "stranger")}
    scene = Scene(
        ECR if kind == "ecr" else "quay.io", None, *(Login(user, Secret(word)) for user, word in logins.items())
    )
    registry = RegistryStandIn(
        scene.host, lambda user, word: f"the {user}" if logins.get(user) == word else None, kind=kind
    )
    scene.digest = registry.add(REPOSITORY, TAG, pullers=("the keeper",))
    registry.add(REPOSITORY, LIST_TAG, platforms=PLATFORMS, pullers=("the keeper",))
    server = run_in_thread(registry.app())
    scene.address = server.url
    yield scene
    server.stop()


class Debian:
    """docker-registry as Debian packages it, in a folder of ours."""

    def __init__(self, folder: Path, program: str) -> None:
        self.folder, self._program = folder, program

    @contextmanager
    def serve(self, auth: dict[str, Any]) -> Iterator[str]:
        port = broken.unused_port()
        config = {
            "version": 0.1, "log": {"accesslog": {"disabled": True}, "level": "error"}, "auth": auth,
            "storage": {"filesystem": {"rootdirectory": str(self.folder / "data")}},
            "http": {"addr": f"127.0.0.1:{port}", "secret": secrets.token_hex()},
        }  # fmt: skip
        (self.folder / "config.yml").write_text(yaml.safe_dump(config))
        with (self.folder / "log").open("wb") as log:
            command = leashed([self._program, "serve", str(self.folder / "config.yml")])
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            self._ready(process, f"http://127.0.0.1:{port}/")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)

    def _ready(self, process: subprocess.Popen[bytes], address: str) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            assert process.poll() is None, (self.folder / "log").read_text()
            try:
                httpx.get(address, trust_env=False)
            except httpx.HTTPError:
                time.sleep(0.02)
            else:
                return
        pytest.fail("docker-registry did not get ready")


def basic(debian: Debian) -> Iterator[Scene]:
    scene = Scene("registry.example.com:5000", None)
    (debian.folder / "htpasswd").write_text(f"keeper:{_bcrypt(scene.good.password.reveal())}\n")
    with debian.serve({"htpasswd": {"realm": "registry", "path": str(debian.folder / "htpasswd")}}) as address:
        scene.address = address
        client = httpx.Client(base_url=address, auth=("keeper", scene.good.password.reveal()), trust_env=False)
        scene.digest = _push(client)
        yield scene


def token(debian: Debian) -> Iterator[Scene]:
    """With a token service that gives what the names of its users say."""
    scene = Scene("registry.example.com:5000", None, stranger=Login("stranger", Secret(secrets.token_hex())))
    service = TokenService(debian.folder, [login for login in (scene.good, scene.stranger) if login])
    server = run_in_thread(Starlette(routes=[Route("/token", service.endpoint)]))
    auth = {
        "realm": f"{server.url}/token",
        "service": "registry",
        "issuer": "us",
        "rootcertbundle": str(service.bundle),
    }
    with debian.serve({"token": auth}) as address:
        scene.address = address
        headers = {"Authorization": f"Bearer {service.signed('keeper', ['pull', 'push'])}"}
        scene.digest = _push(httpx.Client(base_url=address, headers=headers, trust_env=False))
        yield scene
    server.stop()


class TokenService:
    def __init__(self, folder: Path, logins: list[Login]) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = _certificate(self._key)
        self.bundle = folder / "bundle.crt"
        self.bundle.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))
        self._logins = {login.user: login.password.reveal() for login in logins}

    async def endpoint(self, request: Request) -> Response:
        user, password = registry_answers.basic(request.headers.get("Authorization", ""))
        if user not in ("", "late") and self._logins.get(user) != password:
            return JSONResponse({"errors": [{"code": "UNAUTHORIZED", "message": "made up"}]}, 401)
        allowed = user == "keeper" and request.query_params.get("scope") == f"repository:{REPOSITORY}:pull"
        return JSONResponse({"token": self.signed(user, ["pull"] if allowed else [], late=user == "late")})

    def signed(self, user: str, actions: list[str], *, late: bool = False) -> str:
        access = [{"type": "repository", "name": REPOSITORY, "actions": actions}] if actions else []
        now = int(time.time()) - (3600 if late else 0)
        claims = {
            "iss": "us",
            "aud": "registry",
            "sub": user,
            "nbf": now - 60,
            "exp": now + 300,
            "iat": now,
            "access": access,
        }
        der = self._certificate.public_bytes(serialization.Encoding.DER)
        return jwt.encode(claims, self._key, "ES256", headers={"x5c": [base64.b64encode(der).decode()]})


def _certificate(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "token service of a test")])
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number()).not_valid_before(now - day).not_valid_after(now + day)
    return made.add_extension(x509.BasicConstraints(True, None), critical=True).sign(key, hashes.SHA256())


def _bcrypt(password: str) -> str:
    """docker-registry wants bcrypt; the C library has it."""
    library = ctypes.CDLL("libcrypt.so.1")
    library.crypt.restype = library.crypt_gensalt.restype = ctypes.c_char_p
    salt = library.crypt_gensalt(b"$2b$", ctypes.c_ulong(4), secrets.token_bytes(16), 16)
    return str(library.crypt(password.encode(), salt).decode())


def _push(client: httpx.Client) -> str:
    """An image, and a list of it for two platforms. The image's digest."""
    config, layer = b"{}", b"made-up layer"
    for blob in (config, layer):
        where = client.post(f"/v2/{REPOSITORY}/blobs/uploads/").raise_for_status().headers["Location"]
        client.put(where, params=httpx.URL(where).params.set("digest", _digest(blob)), content=blob).raise_for_status()
    image = {"schemaVersion": 2, "mediaType": registry_answers.DOCKER,
             "config": _descriptor("application/vnd.docker.container.image.v1+json", config),
             "layers": [_descriptor("application/vnd.docker.image.rootfs.diff.tar.gzip", layer)]}  # fmt: skip
    pushed = _put(client, TAG, image)
    listed = [_descriptor(registry_answers.DOCKER, pushed) | {"platform": _platform(name)} for name in PLATFORMS]
    _put(client, LIST_TAG, {"schemaVersion": 2, "mediaType": registry_answers.DOCKER_LIST, "manifests": listed})
    return _digest(pushed)


def _put(client: httpx.Client, tag: str, manifest: dict[str, Any]) -> bytes:
    content = json.dumps(manifest).encode()
    headers = {"Content-Type": manifest["mediaType"]}
    client.put(f"/v2/{REPOSITORY}/manifests/{tag}", content=content, headers=headers).raise_for_status()
    return content


def _descriptor(kind: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": kind, "size": len(content), "digest": _digest(content)}


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _platform(name: str) -> dict[str, str]:
    return dict(zip(("os", "architecture", "variant"), name.split("/"), strict=False))


@pytest.fixture(scope="module")
def scene(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, server_binary: Callable[[str], str]
) -> Iterator[Scene]:
    if request.param in OURS:
        yield from stand_in(request.param)
    else:
        debian = Debian(tmp_path_factory.mktemp("registry"), server_binary("docker-registry"))
        yield from (basic if request.param == "basic" else token)(debian)


def wrong(login: Login) -> Login:
    return Login(login.user, Secret("made up and wrong"))


@pytest.mark.parametrize("scene", ALL, indirect=True)
def test_who_may_pull_gets_the_image(scene: Scene) -> None:
    """By tag and by digest, with the login that may; the answer is told without the login."""
    for reference in (TAG, scene.digest):
        pull = scene.pull(reference, scene.good)
        assert (pull.outcome, pull.status, pull.platforms) == ("ok", 200, ()), pull
        assert reference in pull.told


@pytest.mark.parametrize("scene", ALL, indirect=True)
def test_the_platforms_of_a_list(scene: Scene) -> None:
    """A list says for which platforms there is an image."""
    assert scene.pull(LIST_TAG, scene.good).platforms == PLATFORMS


@pytest.mark.parametrize("scene", ALL, indirect=True)
def test_logins(scene: Scene) -> None:
    """A registry takes the right login and no other, whether an image is asked for or not."""
    assert scene.tool.accepts(scene.host, scene.good).outcome == "ok"
    for login in (wrong(scene.good), Login("nobody", scene.good.password)):
        assert scene.tool.accepts(scene.host, login).outcome == "unauthorized"
        assert scene.pull(TAG, login).outcome == "unauthorized"
    assert scene.pull(TAG, None).outcome == "unauthorized"


@pytest.mark.parametrize("scene", [*OURS, REAL[1]], indirect=True)
def test_a_login_without_the_right_is_denied(scene: Scene) -> None:
    """Who can log in but may not pull is told apart from who cannot log in."""
    assert scene.stranger is not None
    assert scene.tool.accepts(scene.host, scene.stranger).outcome == "ok"
    assert scene.pull(TAG, scene.stranger).outcome == "denied"


@pytest.mark.parametrize("scene", ALL, indirect=True)
def test_what_is_not_there(scene: Scene) -> None:
    """A missing tag is one; a missing repository never looks like a missing right to log in."""
    assert scene.pull("none-such", scene.good).outcome == "no_tag"
    found = scene.pull(TAG, scene.good, repository="team/none-such").outcome
    assert found in ("no_repository", "no_tag", "denied")  # docker-registry and token services do not tell


@pytest.mark.parametrize("scene", REAL[1:], indirect=True)
def test_a_token_service_whose_clock_is_wrong(scene: Scene) -> None:
    """A token that its own service gave and the registry does not take is nobody's wrong login."""
    pull = scene.pull(TAG, Login("late", Secret("any")))
    assert (pull.outcome, "its clock or its keys may be wrong" in pull.told) == ("error", True), pull


def live(name: str) -> None:
    """The image that the environment names is given with the login there, and a wrong one is not taken."""
    named = image(name)
    user, password = (os.environ.get(f"HIVEKEEPER_LIVE_REGISTRY_{name}", "") for name in ("USER", "PASSWORD"))
    login = Login(user, Secret(password)) if user else None
    ca = os.environ.get("HIVEKEEPER_LIVE_REGISTRY_CA")
    tool = AskedRegistries({named.host: Registry(ca_file=Path(ca) if ca else None, timeout=60)})
    assert tool.pull(named, login).outcome == "ok"
    assert tool.accepts(named.host, Login("nobody", Secret("made up and wrong"))).outcome == "unauthorized"


if LIVE:

    def test_live() -> None:
        """The registry that the environment names keeps the same promises, as far as they need nothing of ours."""
        live(LIVE)
