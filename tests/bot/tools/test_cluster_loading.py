"""The first questions to a cluster, asked side by side in a fresh process."""

from __future__ import annotations

import subprocess
import sys

import pytest

from playground.cluster import ClusterStandIn
from playground.server import run_in_thread

ASK = """
import sys, threading
from bot.core.secret import Secret
from bot.settings import Cluster
from bot.tools.cluster import Clusters

clusters = Clusters({"c": Cluster(address=sys.argv[1])})
together, names = threading.Barrier(4), []

def ask():
    together.wait()
    names.append(clusters.who("c", Secret("made-up-for-this-test")).name)

threads = [threading.Thread(target=ask) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(names)
"""


@pytest.mark.slow
def test_steps_side_by_side_may_load_the_client() -> None:
    """Four threads that ask first, at once, all get an answer (loading the client in two threads used to deadlock)."""
    cluster = ClusterStandIn()
    cluster.accept("made-up-for-this-test", "somebody")
    server = run_in_thread(cluster.app())
    done = subprocess.run([sys.executable, "-c", ASK, server.url], capture_output=True, text=True, timeout=60)
    server.stop()
    assert (done.stdout.strip(), done.stderr) == (str(["somebody"] * 4), "")
