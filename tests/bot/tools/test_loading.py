"""The first questions to several systems at once, in a fresh process."""

from __future__ import annotations

import subprocess
import sys

from playground import broken

ASK = """
import sys, threading
from bot.core.errors import Told
from bot.core.secret import Secret
from bot.settings import parse
from bot.tools.aws import AwsAccounts
from bot.tools.fingerprints import KeyedFingerprints
from bot.tools.http_answer import LOADING
from bot.tools.kubernetes import open_clusters
from bot.tools.registries import AskedRegistries
from bot.tools.vault import open_vault

CLIENTS = ("requests", "hvac", "kubernetes", "boto3")
nobody = sys.argv[1]
token = {"env": "T"}
settings = parse({
    "vault": {"address": nobody, "auth": {"method": "token", "token": token}, "timeout": 60},
    "aws": {"a": {"endpoint_url": nobody, "auth": {"method": "static", "access_key_id": token, "secret_access_key": token}, "timeout": 60}},
    "clusters": {"c": {"address": nobody, "token": token, "timeout": 60}},
    "registries": {"registry.example.com": {"address": nobody, "timeout": 60}},
}, "the test's settings")
resolve, marks = lambda _: Secret("made-up"), KeyedFingerprints(Secret("made up, and long enough to be one"))
vault = open_vault(settings.vault, resolve, marks)
clusters = open_clusters(settings.clusters, resolve, marks)
registries = AskedRegistries(settings.registries)
asks = [
    lambda: vault.reader.find("a/b", "c"),
    lambda: clusters.version("c"),
    lambda: AwsAccounts(settings.aws, resolve).who("a", "us-east-1"),
    lambda: registries.accepts("registry.example.com", None),
]

def ask(call):
    try:
        call()
    except Told:
        pass

threads = [threading.Thread(target=ask, args=(call,)) for call in asks]
with LOADING:
    [thread.start() for thread in threads]
    threads[0].join(0.4)
    print([name for name in CLIENTS if name in sys.modules], all(thread.is_alive() for thread in threads))
[thread.join() for thread in threads]
print([name for name in CLIENTS if name in sys.modules])
"""


def test_clients_are_loaded_one_after_another() -> None:
    """While one tool loads its client, no other one loads anything: clients share modules, and two threads that load
    these from two ends get them in parts. Afterwards each says that nobody answers, and all are loaded."""
    command = [sys.executable, "-c", ASK, f"http://127.0.0.1:{broken.unused_port()}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["[] True", "['requests', 'hvac', 'kubernetes', 'boto3']"]
