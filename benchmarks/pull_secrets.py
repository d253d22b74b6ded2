"""Refresh the pull secrets of 200 namespaces in ten clusters, beside a plain script that makes the same calls one after
another. `python benchmarks/pull_secrets.py [milliseconds that a cluster takes to answer]`"""

from __future__ import annotations

import secrets
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import requests

from bot.cloud import AwsAccess, Registry, StaticKeys
from bot.clusters import Cluster
from bot.core.plan import Plan, RunRef
from bot.core.ports import Tools
from bot.core.secret import Secret
from bot.sources import FromEnv
from bot.tools.absent import NoVault
from bot.tools.aws import AwsAccounts
from bot.tools.cluster import Clusters
from bot.tools.docker_configs import DockerConfigs
from bot.tools.documents import Base64Yaml
from bot.tools.fingerprints import KeyedFingerprints
from bot.tools.jobs import JobFiles
from bot.tools.kubernetes import open_clusters
from bot.tools.registries import AskedRegistries
from bot.tools.tokens import JwtClaims
from handlers import refresh_ecr
from handlers.ecr import Settings
from playground.aws import AwsStandIn
from playground.kubernetes import KubernetesStandIn
from playground.registry import RegistryStandIn
from playground.server import run_in_thread

REGISTRY = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
CLUSTERS, SPACES = 10, 20
SIDE_BY_SIDE = 64  # steps of a stage, as the engine does them


def main(milliseconds: float = 20) -> None:
    with ExitStack() as stack:
        aws, clusters = AwsStandIn("123456789012"), {}
        keys = aws.user("hivekeeper")
        registry = RegistryStandIn(REGISTRY, lambda _, password: aws.password_good(password))
        registry.add("team/app", "latest")
        serve = Server(stack)
        for number in range(CLUSTERS):
            name = f"c{number}"
            cluster = KubernetesStandIn()
            cluster.slow(milliseconds / 1000)
            for space in range(SPACES):
                cluster.namespace(f"ns-{space}")
            clusters[name] = (cluster, serve(cluster.app()))
        known = {"ID": keys.key_id, "KEY": keys.secret, **{name: one.admin for name, (one, _) in clusters.items()}}
        tools = tools_for(known, serve(aws.app(), date_header=False), serve(registry.app()), clusters)
        began = time.monotonic()
        settings = settings_for(clusters)
        found = refresh_ecr.plan(refresh_ecr.RefreshEcr(), settings, tools)
        assert isinstance(found, Plan)
        planned = time.monotonic() - began
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            list(pool.map(lambda step: step[2].do(tools, RunRef(id="bench")), found.steps))
        ours = time.monotonic() - began
        calls = sum(len(cluster.log) for cluster, _ in clusters.values())
        theirs = one_after_another(clusters)
        print(
            f"{CLUSTERS * SPACES} namespaces, {calls} calls to clusters that take {milliseconds:.0f} ms each: "
            f"planned in {planned:.1f} s, written after {ours:.1f} s; one after another {theirs:.1f} s "
            f"({theirs / ours:.1f} times as long)"
        )


class Server:
    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def __call__(self, app: Any, **options: Any) -> str:
        server = run_in_thread(app, **options)
        self._stack.callback(server.stop)
        return server.url


def settings_for(clusters: dict[str, Any]) -> Settings:
    common = {"registry": REGISTRY, "image": "team/app:latest", "namespaces": [f"ns-{n}" for n in range(SPACES)]}
    return Settings.model_validate({"environments": {name: {**common, "cluster": name} for name in clusters}})


def tools_for(known: dict[str, str], aws: str, registry: str, clusters: dict[str, Any]) -> Tools:
    fingerprints = KeyedFingerprints(Secret(secrets.token_hex(16)))
    keys = StaticKeys(access_key_id=FromEnv(env="ID"), secret_access_key=FromEnv(env="KEY"))
    logins = {name: Cluster(address=url, token=FromEnv(env=name)) for name, (_, url) in clusters.items()}

    def resolve(source: Any) -> Secret:
        return Secret(known[source.env])

    return Tools(
        vault=NoVault(),
        fingerprints=fingerprints,
        tokens=JwtClaims(),
        documents=Base64Yaml(),
        clusters=Clusters({}),
        jobs=JobFiles(()),
        now=time.time,
        aws=AwsAccounts({"default": AwsAccess(auth=keys, endpoint_url=aws)}, resolve),
        registries=AskedRegistries({REGISTRY: Registry(address=registry)}),
        docker_configs=DockerConfigs(fingerprints),
        kubernetes=open_clusters(logins, resolve, fingerprints),
    )


def one_after_another(clusters: dict[str, Any]) -> float:
    """The calls that the bot made, once more, by a script with one connection for each cluster. What is sent with them
    is empty, so nothing is written; they take as long."""
    wanted = [(name, entry.verb, entry.path) for name, (cluster, _) in clusters.items() for entry in list(cluster.log)]
    sessions = {name: requests.Session() for name in clusters}
    for name, session in sessions.items():
        session.trust_env = False
        session.headers["Authorization"] = f"Bearer {clusters[name][0].admin}"
    began = time.monotonic()
    for name, verb, path in wanted:
        method = "POST" if verb == "create" else "GET"
        sessions[name].request(method, clusters[name][1] + path, json={} if method == "POST" else None, timeout=10)
    return time.monotonic() - began


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 20)
