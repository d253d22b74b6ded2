"""The first questions to a cluster, asked side by side in a fresh process."""

from __future__ import annotations

import subprocess
import sys

import pytest

from playground.cluster import ClusterStandIn
from playground.server import run_in_thread

ASK = """
import sys, threading, time
from bot.core.secret import Secret
from bot.settings import Cluster
from bot.tools.cluster import Clusters

clusters = Clusters({"c": Cluster(address=sys.argv[1])})
names = []

def ask(number):
    time.sleep(number * 0.01)  # not to wait for anything: a few milliseconds apart is when loading goes wrong
    names.append(clusters.who("c", Secret("made-up-for-this-test")).name)

threads = [threading.Thread(target=ask, args=(n,)) for n in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(names)
"""


@pytest.mark.slow
def test_steps_side_by_side_may_load_the_client() -> None:
    """Four threads that ask first, nearly at once, all get an answer (loading the client in two threads used to deadlock)."""
    cluster = ClusterStandIn()
    cluster.accept("made-up-for-this-test", "somebody")
    server = run_in_thread(cluster.app())
    command = [sys.executable, "-c", ASK, server.url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    server.stop()
    assert (done.stdout.strip(), done.stderr) == (str(["somebody"] * 4), "")
