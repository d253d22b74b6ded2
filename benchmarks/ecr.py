"""ECR logins into 200 namespaces over ten clusters, by the engine and by a plain script, one after another.

`python benchmarks/ecr.py [namespaces per cluster] [seconds]`: eight API servers take 20 ms for each answer, one takes
so many seconds (0.2), one takes connections and never answers (2 s until given up). The engine is the bot's own, with
its executor and its store on SQLite, from the question to the report; a plan is approved at once. The script makes the
calls that a careful person would script: look at namespace, secret and users, keep the old one beside, write, and look
again; it asks a dead cluster once. First, the engine has the slow cluster alone: nothing can be quicker than that one.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
from ecr_world import OTHER, REGISTRY, REPOSITORY, SECRET

from bot.app import Parts
from bot.core.intake import Decision, Request
from bot.core.view import OPEN, RunView, State
from bot.engine.desk import Running
from bot.settings import parse
from bot.tools.absent import NoSlack
from playground.child import clean_environment, leashed

FAST, GIVEN_UP = 0.02, 2.0  # seconds
NAMES = [f"fast-{number}" for number in range(8)] + ["slow", "dead"]
OURS = "hk-bench"


class World:
    """`urls` by cluster, and Amazon's."""

    def __init__(self, stack: ExitStack, namespaces: int, slow: float) -> None:
        self.namespaces, self.token = namespaces, secrets.token_hex(16)
        parts = (["aws", *(f"{name}={FAST}" for name in NAMES[:2])], [f"{name}={FAST}" for name in NAMES[2:5]],
                 [f"{name}={FAST}" for name in NAMES[5:8]] + [f"slow={slow}"])  # fmt: skip
        self._children = [stack.enter_context(self._child(part)) for part in parts]
        self.urls: dict[str, str] = {}
        for child in self._children:
            self.urls |= _line(child)
        self.urls["dead"] = stack.enter_context(deaf())

    @contextmanager
    def _child(self, wanted: list[str]) -> Iterator[subprocess.Popen[str]]:
        program = [sys.executable, str(Path(__file__).with_name("ecr_world.py")), str(self.namespaces), self.token]
        child = subprocess.Popen(leashed([*program, *wanted]), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                 env=clean_environment())  # fmt: skip
        try:
            yield child
        finally:
            child.kill()
            child.wait(10)

    def requests(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for child in self._children:
            assert child.stdin
            child.stdin.write("requests\n")
            child.stdin.flush()
            found |= _line(child)
        return found

    def settings(self, folder: Path, clusters: list[str]) -> dict[str, Any]:
        given = {"token": self.token, "id": self.urls["key_id"], "key": self.urls["key"]}
        files = {name: {"file": str(_file(folder / name, value))} for name, value in given.items()}
        environment = {"registry": REGISTRY, "image": f"{REPOSITORY}:latest",
                       "namespaces": [f"cf-{number}" for number in range(self.namespaces)]}  # fmt: skip
        keys = {"method": "static", "access_key_id": files["id"], "secret_access_key": files["key"]}
        return {
            "data_dir": str(folder / "data"),
            "slack": {"channel": "C0BENCH", "bot_token": {"env": OURS}},
            "inventory": {"every_minutes": 1440},
            "clusters": {name: {"address": self.urls[name], "token": files["token"],
                                "timeout": GIVEN_UP if name == "dead" else 30} for name in clusters},
            "aws": {"default": {"auth": keys, "region": "us-east-1", "endpoint_url": self.urls["aws"]}},
            "registries": {REGISTRY: {"address": self.urls["registry"]}},
            "groups": {"all": {"users": ["U0ASKER", "U0OTHER"]}},
            "commands": {"refresh-ecr": {"approve": ["all"], "settings": {
                "environments": {name: {**environment, "cluster": name} for name in clusters}}}},
        }  # fmt: skip


def _line(child: subprocess.Popen[str]) -> dict[str, Any]:
    assert child.stdout
    return dict(json.loads(child.stdout.readline()))


def _file(path: Path, text: str) -> Path:
    path.touch(mode=0o600)
    path.write_text(text)
    return path


@contextmanager
def deaf() -> Iterator[str]:
    """Takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=500) as bound:
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


def engine(world: World, clusters: list[str]) -> tuple[float, float, float, RunView]:
    """Seconds until the plan is there, seconds from its approval to the report, processor seconds, and the run."""
    with tempfile.TemporaryDirectory() as folder:
        parts = Parts(parse(world.settings(Path(folder), clusters), "the benchmark's settings"))
        running = parts.start(None, NoSlack())
        try:
            _settled(world)
            begun, worked = time.perf_counter(), time.process_time()
            ask = {"env": clusters, "force": True}
            run = running.desk.ask(Request(key="k", command="refresh-ecr", ask=ask, asker="U0ASKER", text=""))
            view = _until(running, run, (State.ASKED,))
            planned = time.perf_counter() - begun
            assert view.state == State.PROPOSED, view
            running.desk.decide(Decision(key="d", run=run, verdict="approve", user="U0OTHER", digest=view.digest))
            view = _until(running, run, OPEN)
            return planned, time.perf_counter() - begun - planned, time.process_time() - worked, view
        finally:
            running.stop()


def _settled(world: World) -> None:
    """The look at the credentials that each start takes is over."""
    seen = world.requests()
    while True:
        time.sleep(GIVEN_UP + 1)
        if (now := world.requests()) == seen:
            return
        seen = now


def _until(running: Running, run: str, states: Collection[State]) -> RunView:
    while (view := running.desk.run(run)) is None or view.state in states:
        time.sleep(0.02)
    return view


def script(world: World) -> tuple[float, int, int]:
    """Seconds, calls, and secrets written, one after another over connections that are kept."""
    begun, calls, written = time.perf_counter(), 0, 0
    login = {"Authorization": f"Bearer {world.token}"}
    for name in NAMES:
        with httpx.Client(
            base_url=world.urls[name], headers=login, timeout=GIVEN_UP if name == "dead" else 30, trust_env=False
        ) as client:
            try:
                client.get("/version").raise_for_status()
            except httpx.HTTPError:
                continue
            for number in range(world.namespaces):
                calls += _one(client, f"cf-{number}")
                written += 1
    return time.perf_counter() - begun, calls, written


RIGHTS = (("create", "secrets", ""), ("update", "secrets", SECRET), ("delete", "secrets", ""))


def _one(client: httpx.Client, space: str) -> int:
    """One namespace as a careful person would do it; how many calls that took."""
    core, apps = f"/api/v1/namespaces/{space}", f"/apis/apps/v1/namespaces/{space}"
    looks = (core, f"{core}/secrets/{SECRET}", f"{core}/serviceaccounts", f"{apps}/deployments", f"{core}/pods")
    answers = [client.get(path).raise_for_status().json() for path in looks]
    for verb, resource, name in RIGHTS:
        wanted = {"verb": verb, "resource": resource, "namespace": space, "name": name}
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
                  "spec": {"resourceAttributes": wanted}}  # fmt: skip
        client.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", json=review).raise_for_status()
    old = answers[1]
    beside = {**old, "metadata": {"name": f"{SECRET}-before", "namespace": space}}
    client.post(f"{core}/secrets", json=beside).raise_for_status()
    login = base64.b64encode(b"AWS:a new word").decode()
    document = json.dumps({"auths": {OTHER: {"auth": login}, REGISTRY: {"auth": login}}})
    new = {**old, "data": {".dockerconfigjson": base64.b64encode(document.encode()).decode()}}
    client.put(f"{core}/secrets/{SECRET}", json=new).raise_for_status()
    client.get(f"{core}/secrets/{SECRET}").raise_for_status()
    return len(looks) + len(RIGHTS) + 3


def main(namespaces: int = 20, slow: float = 0.2) -> None:
    with ExitStack() as stack:
        world = World(stack, namespaces, slow)
        alone_plan, alone_apply, _, alone = engine(world, ["slow"])
        before = world.requests()
        planned, applied, worked, whole = engine(world, NAMES)
        after = world.requests()
        plain, calls, written = script(world)
    ours, floor = planned + applied, alone_plan + alone_apply
    done = sum(step.state == "done" for step in whole.steps)
    made = sum(after[name] - before[name] for name in after)
    print(f"load average of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    print(f"engine, {len(NAMES)} clusters: {done} secrets, {whole.state}: plan {planned:.1f} s, apply and report "
          f"{applied:.1f} s, {ours:.1f} s in all; {made} calls, {worked:.1f} s of processor")  # fmt: skip
    print(f"engine, the slow cluster alone: {len(alone.steps)} secrets: plan {alone_plan:.1f} s, apply and report "
          f"{alone_apply:.1f} s, {floor:.1f} s in all")  # fmt: skip
    print(f"script, one after another: {written} secrets, {plain:.1f} s ({calls} calls)")
    print(
        f"the script takes {plain / ours:.1f} times as long; all take {ours / floor:.2f} times as long as the slow one"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20, float(sys.argv[2]) if len(sys.argv) > 2 else 0.2)
