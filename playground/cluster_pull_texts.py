"""What container runtimes say when they cannot pull an image (upstream.md, seed 004): CRI-O old and new, containerd and
Docker."""

from __future__ import annotations

import re

RUNTIMES = ("cri-o", "cri-o-old", "containerd", "docker")
HOST = r"[\w-]+(?:\.[\w-]+)+(?::\d+)?|[\w.-]+:\d+|localhost"
IMAGE = re.compile(rf"(?:({HOST})/)?([a-z0-9][a-z0-9._/-]*)(?::([\w.-]+))?(?:@(sha256:[0-9a-f]{{64}}))?")
PRINCIPAL = "arn:aws:iam::210987654321:user/puller"
SAID = {
    "unauthorized": "unauthorized: authentication required",
    "expired": "denied: Your authorization token has expired. Reauthenticate and try again.",
    "denied": "denied: User: {principal} is not authorized to perform: ecr:BatchGetImage on resource: "
    "arn:aws:ecr:{region}:{account}:repository/{repository} because no resource-based policy allows the "
    "ecr:BatchGetImage action",
    "no_repository": "name unknown: The repository with name '{repository}' does not exist in the registry with id "
    "'{account}'",
    "no_tag": "manifest unknown: Requested image not found",
    "rate_limited": "toomanyrequests: Rate exceeded",
    "error": "received unexpected HTTP status: 500 Internal Server Error",
}  # fmt: skip
UNHEARD = {
    "dns": "dial tcp: lookup {host} on 172.30.0.10:53: no such host",
    "tls": "tls: failed to verify certificate: x509: certificate signed by unknown authority",
    "timeout": "dial tcp 192.0.2.10:443: i/o timeout",
    "unreachable": "dial tcp 192.0.2.10:443: connect: connection refused",
}
ELSEWHERE = {  # than at ECR
    "denied": "unauthorized: access to the requested resource is not authorized",
    "no_repository": "name unknown: repository not found",
    "no_tag": "manifest unknown: manifest unknown",
    "rate_limited": "toomanyrequests: You have reached your pull rate limit.",
}
NO_PLATFORM = {
    "containerd": "no match for platform in manifest: not found",
    "docker": "no matching manifest for linux/amd64 in the manifest list entries",
}
NO_IMAGE = 'no image found in image index for architecture "amd64", variant "", OS "linux"'


def parts(image: str) -> tuple[str, str, str] | None:
    """Host, repository, tag or digest."""
    found = IMAGE.fullmatch(image)
    if not found:
        return None
    host, repository, tag, digest = found.groups()
    return (
        host or "docker.io",
        repository if host or "/" in repository else f"library/{repository}",
        digest or tag or "latest",
    )


def told(runtime: str, image: str, outcome: str, principal: str = PRINCIPAL) -> str:
    """What the runtime says of this outcome; `principal` is who is named in a denial."""
    word, _, said = outcome.partition(": ")
    host, repository, reference = parts(image) or ("", "", "")
    cause = said or _cause(word, host, repository, principal)
    if word == "no_platform":
        cause = NO_PLATFORM.get(runtime, NO_IMAGE)
    elif word in UNHEARD:
        cause = _unheard(runtime, host, cause)
    name = f"{host}/{repository}"
    if writer := {"containerd": _containerd, "docker": _docker}.get(runtime):
        return f"rpc error: code = {_code(runtime, word)} desc = " + writer(word, image, name, reference, cause)
    read = cause if word in UNHEARD else f"reading manifest {reference} in {name}: {cause}"
    if runtime == "cri-o-old":
        return f"rpc error: code = Unknown desc = {read}"
    again = f"initializing source docker://{image}: {read}"
    twice = f"pull image err: {again}; artifact err: get manifest: build image source: {read}"
    return f"unable to pull image or OCI artifact: {twice}"


def _cause(word: str, host: str, repository: str, principal: str) -> str:
    """The registry's words, or the network's."""
    ecr = re.fullmatch(r"(\d{12})\.dkr\.ecr\.([\w-]+)\.amazonaws\.com", host)
    account, region = ecr.groups() if ecr else ("123456789012", "us-east-1")
    words = {**SAID, **UNHEARD, **({} if ecr or "ecr" in host else ELSEWHERE)}
    text = words.get(word, "unknown: unexpected answer")
    return text.format(host=host, repository=repository, principal=principal, account=account, region=region)


def _unheard(runtime: str, host: str, cause: str) -> str:
    asked = f'Get "https://{host}/v2/": {cause}'
    return (
        f"pinging container registry {host}: {asked}"
        if runtime.startswith("cri-o")
        else f"failed to do request: {asked}"
    )


def _code(runtime: str, word: str) -> str:
    return "NotFound" if runtime == "containerd" and word in ("no_tag", "no_platform") else "Unknown"


def _containerd(word: str, image: str, name: str, reference: str, cause: str) -> str:
    start = f'failed to pull and unpack image "{image}": '
    resolve = f'failed to resolve reference "{image}": '
    host, _, repository = name.partition("/")
    head = f"unexpected status from HEAD request to https://{host}/v2/{repository}/manifests/{reference}: "
    if word == "unauthorized":
        why = "pull access denied, repository does not exist or may require authorization: authorization failed: "
        return f"{start}{resolve}{why}no basic auth credentials"
    if word in ("expired", "denied"):  # it asks by HEAD, and such an answer has no body
        return f"{start}{resolve}{head}403 Forbidden"
    if word in ("no_tag", "no_repository"):
        return f"{start}{resolve}{image}: not found"
    if word == "rate_limited":
        return f"{start}{resolve}{head}429 Too Many Requests"
    return f"{start}{cause}" if word == "no_platform" else f"{start}{resolve}{cause}"


def _docker(word: str, image: str, name: str, reference: str, cause: str) -> str:
    start = "Error response from daemon: "
    host, _, repository = name.partition("/")
    if word == "unauthorized":
        return f'{start}Get "https://{host}/v2/{repository}/manifests/{reference}": no basic auth credentials'
    if word in ("expired", "denied"):
        return f"{start}pull access denied for {name}, repository does not exist or may require 'docker login': {cause}"
    if word == "no_tag":
        return f"{start}manifest for {image} not found: {cause}"
    return f"{start}{cause.removeprefix('failed to do request: ')}"
