"""From an alert to Slack: the real bot behind a real Alertmanager, beside Alertmanager's own Slack receiver, the floor.

`python benchmarks/alerts_to_slack.py [alerts] [rounds]`. First, one alert at a time: Alertmanager tells the bot's
webhook and posts to Slack itself in the same moment; counted is from the alert's arrival at Alertmanager to each first
message, and to the bot's first verdict. Then a burst over HTTP: notices of 20, each twice, four senders; an alert
counts when its notice was answered 202, which is after its transaction was committed.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import shutil
import statistics
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import yaml
from bot_process import CHANNEL, OPENER, World, bot, child, ready, unused_port, world

from playground.prometheus import PrometheusStandIn
from playground.server import run_in_thread
from playground.slack import incoming

NAME = "armada-deploy/armada_kubx_deployer_redhat_auth"
SIZE, SENDERS, APART = 20, 4, 1.5  # alerts in a notice; at once; seconds between rounds, as Slack limits posts
FLOOR = "C0FLOOR"


class Bench:
    """A bot whose every region fails to log in, before a Slack that says when it got what."""

    def __init__(self, at: World, regions: tuple[str, ...], stack: ExitStack) -> None:
        self.at, self.space = at, at.workspace
        self.key, self.sent_again = secrets.token_hex(16), 0
        prometheus = PrometheusStandIn()
        for method in ("jwt", "token"):
            prometheus.scrape({"method": method, "status": "failed"}, count=80, since=1200)
        server = run_in_thread(prometheus.app())
        stack.callback(server.stop)
        self.key_file = at.settings.with_name("hook-key")
        self.key_file.write_text(self.key)
        document = yaml.safe_load(at.settings.read_text())
        document["prometheus"] = {region: {"address": server.url} for region in regions}
        document["webhooks"] = {"alertmanager": [{"file": str(self.key_file)}]}
        document["alerts"] = {"handlers": {"redhat-auth": {"channel": CHANNEL}}}
        at.settings.write_text(yaml.safe_dump(document))

    @property
    def hook(self) -> str:
        return f"http://127.0.0.1:{self.at.bot_port}/webhooks/alertmanager"

    def post(self, body: Any) -> None:
        """Until it is taken, as Alertmanager does when the bot says that it is busy."""
        headers = {"content-type": "application/json", "authorization": f"Bearer {self.key}"}
        request = urllib.request.Request(self.hook, json.dumps(body).encode(), headers)
        while True:
            try:
                OPENER.open(request, timeout=60).close()
            except urllib.error.HTTPError as told:
                if told.code != 503:
                    raise
                self.sent_again += 1
                time.sleep(0.1)
            else:
                return

    def first(self, channel: str, words: str, begun: float) -> float:
        """Milliseconds until a message of the channel says this."""
        while time.perf_counter() - begun < 60:
            if any(words in json.dumps(message) for message in list(self.space.messages.get(channel, ()))):
                return (time.perf_counter() - begun) * 1000
            time.sleep(0.002)
        raise SystemExit(f"nothing about {words} in {channel}")


def alert(region: str, number: int, status: str = "firing") -> dict[str, Any]:
    now = time.time()
    return {
        "status": status,
        "labels": {"alertname": NAME, "region": region, "instance": f"deployer-{number}", "severity": "critical"},
        "annotations": {"summary": "Logins to Red Hat fail."},
        "startsAt": spelled(now - 300),
        "endsAt": spelled(now) if status == "resolved" else "0001-01-01T00:00:00Z",
        "fingerprint": f"{number:016x}",
    }


def spelled(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def notification(group: str, alerts: list[dict[str, Any]]) -> dict[str, Any]:
    return {"version": "4", "groupKey": group, "status": "firing", "receiver": "bot", "alerts": alerts}


def alertmanager(bench: Bench, folder: Path, stack: ExitStack) -> str:
    """Its address."""
    program = shutil.which("prometheus-alertmanager")
    if program is None:
        raise SystemExit("There is no Alertmanager here: scripts/servers tells how to install it.")
    slack = bench.at.api_url.removesuffix("/api/") + incoming.install(bench.space, FLOOR)
    document = {
        "route": {"receiver": "bot", "group_by": ["..."], "group_wait": "0s", "group_interval": "1s",
                  "routes": [{"receiver": "bot", "continue": True}, {"receiver": "slack"}]},
        "receivers": [
            {"name": "bot", "webhook_configs": [
                {"url": bench.hook, "http_config": {"authorization": {"credentials_file": str(bench.key_file)}}}]},
            {"name": "slack", "slack_configs": [{"api_url": slack, "channel": "#floor"}]},
        ],
    }  # fmt: skip
    (folder / "alertmanager.yml").write_text(yaml.safe_dump(document))
    port = unused_port()
    command = [program, f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/alertmanager",
               f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=", "--log.level=error"]  # fmt: skip
    process = stack.enter_context(child(command, dict(os.environ)))
    ready(process, port, "/-/ready")
    return f"http://127.0.0.1:{port}"


def one_by_one(bench: Bench, address: str, regions: tuple[str, ...]) -> dict[str, list[float]]:
    """Milliseconds, one of each kind for each region."""
    found: dict[str, list[float]] = {"floor": [], "first": [], "verdict": []}
    waits: dict[str, tuple[str, Callable[[str], str]]] = {
        "floor": (FLOOR, lambda region: region),
        "first": (CHANNEL, lambda region: region),
        "verdict": (CHANNEL, lambda region: f"Both logins to Red Hat fail in {region}"),
    }
    with ThreadPoolExecutor(len(waits)) as pool:
        for region in regions:
            told = {k: alert(region, 0)[k] for k in ("labels", "annotations")}
            request = urllib.request.Request(
                f"{address}/api/v2/alerts", json.dumps([told]).encode(), {"content-type": "application/json"}
            )
            begun = time.perf_counter()
            OPENER.open(request, timeout=30).close()
            jobs = {n: pool.submit(bench.first, place, words(region), begun) for n, (place, words) in waits.items()}
            for name, job in jobs.items():
                found[name].append(job.result())
            time.sleep(APART)
    return found


def burst(bench: Bench, regions: tuple[str, ...], count: int) -> tuple[int, float]:
    """Alerts that were taken, and seconds."""
    each, bodies = count // len(regions), []
    for region in regions:
        for at in range(0, each, SIZE):
            numbers = range(at, min(at + SIZE, each))
            bodies.append(notification(f"{region}{at}", [alert(region, n) for n in numbers]))
            bodies.append(notification(f"{region}{at}", [alert(region, n, "resolved") for n in numbers[::2]]))
    twice = bodies * 2
    random.Random(1).shuffle(twice)
    with ThreadPoolExecutor(SENDERS) as pool:
        begun = time.perf_counter()
        list(pool.map(bench.post, twice))
        return sum(len(body["alerts"]) for body in twice), time.perf_counter() - begun


def main(count: int, rounds: int) -> None:
    calm, storm = tuple(f"calm-{n}" for n in range(rounds)), ("storm-a", "storm-b")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        bench = Bench(stack.enter_context(world(folder, "socket")), (*calm, *storm, "warm"), stack)
        stack.enter_context(bot(bench.at))
        address = alertmanager(bench, folder, stack)
        one_by_one(bench, address, ("warm",))
        found = one_by_one(bench, address, calm)
        taken, seconds = burst(bench, storm, count)
    print(f"load average of the machine at the end: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    figures = {name: statistics.median(values) for name, values in found.items()}
    names = {"floor": "Alertmanager's own Slack receiver", "first": "hivekeeper, first message",
             "verdict": "hivekeeper, verdict"}  # fmt: skip
    for name, value in figures.items():
        print(f"{names[name]:36} median {value:8.1f} ms  worst {max(found[name]):8.1f} ms  "
              f"x{value / figures['floor']:.1f} of the floor")  # fmt: skip
    print(
        f"burst: {taken} alerts in {seconds:.1f} s, {taken / seconds:.0f} alerts/s durable, over HTTP; "
        f"{bench.sent_again} calls were told to come again"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000, int(sys.argv[2]) if len(sys.argv) > 2 else 10)
