"""A push that is killed: the real thing, a process of its own, at an OpenSSH server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import until

pytestmark = pytest.mark.slow
OLD = b"hvs.old\n"
# The token comes on standard input. At the given operation, and the given time that it is done, the process ends as
# kill -9 ends it: before the operation is sent, or while its answer is on the way.
PUSH = """
import asyncio, json, os, signal, sys
import asyncssh
from bot.core.grid import Service
from bot.core.secret import Secret
from bot.sources import FromFile
from bot.ssh import Key, Nodes
from bot.tools.fingerprints import KeyedFingerprints
from bot.tools.nodes import SshNodes

given = json.load(sys.stdin)
left = [given["at_the"]]

def dying(operation):
    async def instead(*args, **named):
        left[0] -= 1
        if left[0]:
            return await operation(*args, **named)
        if given["answer"]:
            asyncio.ensure_future(operation(*args, **named))
            await asyncio.sleep(0)
        os.kill(os.getpid(), signal.SIGKILL)
    return instead

for of in (asyncssh.SFTPClientFile, asyncssh.SFTPClient):
    if given["point"] and hasattr(of, given["point"]):
        setattr(of, given["point"], dying(getattr(of, given["point"])))
        break
service = Service(name="dune_production", experiment="dune", role="production", account=given["account"],
                  principal="x@TEST.LOCAL", keytab="/dev/null")
settings = Nodes(auth=(Key(private_key=FromFile(file=given["key"])),), known_hosts=given["known_hosts"],
                 directory=given["directory"], addresses={"localhost": given["address"]}, connect_timeout=60,
                 operation_timeout=60, node_timeout=120)
content, key = Secret(given["token"]), Secret("a made-up key of the fingerprints")
tool = SshNodes(settings, lambda source: Secret(open(source.file).read()), KeyedFingerprints(key), lambda _: content)
tool.push(service, "localhost", given["uid"])
"""


@pytest.fixture
def setting(make_sshd: Callable[..., Any], tmp_path: Path, keys: Any, canary: Any) -> dict[str, Any]:
    sshd = make_sshd()
    sshd.authorize(keys[0].export_public_key().decode().strip())
    sshd.start()
    key, known_hosts = tmp_path / "key", tmp_path / "known_hosts"
    key.write_text(keys[0].export_private_key().decode())
    known_hosts.write_text(f"localhost {sshd.host_key}\n")
    return {
        "account": sshd.account.pw_name, "uid": sshd.account.pw_uid, "key": str(key), "known_hosts": str(known_hosts),
        "directory": str(sshd.tmp), "address": f"127.0.0.1:{sshd.port}", "token": f"hvs.{canary('the token')}",
    }  # fmt: skip


def push(given: dict[str, Any], **at: Any) -> int:
    done = subprocess.run(
        [sys.executable, "-c", PUSH], input=json.dumps({**given, "point": "", "at_the": 1, "answer": False, **at}),
        text=True, env={"PATH": os.environ["PATH"]}, capture_output=True, check=False,
    )  # fmt: skip
    assert given["token"] not in done.stdout + done.stderr
    return done.returncode


@pytest.mark.parametrize("answer", [False, True], ids=["before", "during"])
@pytest.mark.parametrize("point", ["open", "write", "close", "posix_rename"])
def test_a_killed_push_leaves_only_whole_tokens(setting: dict[str, Any], point: str, answer: bool) -> None:
    """Killed at the first or the second file, before or while an operation is on its way: under the final names there
    is the old token or the new one, never a part; the next push finishes the work, and once its draft is old it goes."""
    folder, uid = Path(setting["directory"]), setting["uid"]
    final = [folder / f"vt_u{uid}", folder / f"vt_u{uid}-dune_production"]
    new = f"{setting['token']}\n".encode()
    for at_the in (1, 2):
        for path in final:
            path.unlink(missing_ok=True)
            path.write_bytes(OLD)
            path.chmod(0o400)
            os.chown(path, uid, -1)
        assert push(setting, point=point, at_the=at_the, answer=answer) == -9
        assert {path.read_bytes() for path in final} <= {OLD, new}

    def finished() -> bool:
        for draft in folder.glob(".*"):
            os.utime(draft, (0, 0))
        assert push(setting) == 0
        assert {path.read_bytes() for path in final} == {new}
        return {path.name for path in folder.iterdir()} == {path.name for path in final}

    until(finished)  # the node may carry out what the killed push asked for only now
