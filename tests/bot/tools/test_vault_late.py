"""What Vault does after its answer was given up, and what cannot be known of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.core.errors import Transient
from bot.core.secret import Secret
from bot.tools.vault import Vault
from playground import broken
from playground.vault import VaultStandIn
from playground.vault_answers import Answer
from playground.vault_faults import Fault

PATHS = ("sd-uhc/sandbox", "kv/sandbox")  # one in version 1 of the engine, one in version 2
RUN = "r-1"
WRITES = ("create", "update")


def change(vault: Vault, path: str) -> None:
    vault.write(path, {"token": Secret("ours")}, run=RUN)


UNKNOWN = [
    (Fault(capabilities=WRITES, answer=Answer(500, {"errors": ["context deadline exceeded"]})), True),
    (Fault(capabilities=WRITES, answer=Answer(504, {})), True),
    (Fault(capabilities=WRITES, answer=Answer(503, {"errors": ["Vault is sealed"]})), False),
    (Fault(capabilities=("read",), cut=0), False),
]
CUT = Fault(capabilities=WRITES, cut=0)  # version 1 answers a write without a body, which cannot be cut


@pytest.mark.parametrize(
    ("path", "fault", "unheard"), [(path, *one) for path in PATHS for one in UNKNOWN] + [(PATHS[1], CUT, True)]
)
def test_what_came_of_a_change_may_be_unknown(
    path: str, fault: Fault, unheard: bool, stand_in: VaultStandIn, vault: Vault
) -> None:
    """After a cut, or when Vault or what stands before it gave up waiting; not when it did not even look, and never for
    a look."""
    stand_in.put(path, {"token": "old"})
    stand_in.faults.add(replace(fault, path=path))
    with pytest.raises(Transient) as told:
        change(vault, path)
    assert told.value.unheard is unheard
    waits = unheard and path == PATHS[0]  # nothing keeps that from landing after the next try there
    assert told.value.after == (10.0 if waits else None)


def test_a_backup_that_comes_late_is_no_doubt(stand_in: VaultStandIn, vault: Vault) -> None:
    """Nothing was changed at the path itself, and nothing will be."""
    stand_in.put(PATHS[0], {"token": "old"})
    stand_in.faults.add(Fault(path=f"{PATHS[0]}-before-{RUN}", capabilities=WRITES, answer=Answer(504, {})))
    with pytest.raises(Transient) as told:
        change(vault, PATHS[0])
    assert not told.value.unheard


def test_silence_after_a_change_is_unknown(stand_in: VaultStandIn, open_it: Any) -> None:
    """It may have been carried out; where nobody listens it was not."""
    stand_in.faults.add(Fault(capabilities=("update",), delay=0.5))
    stand_in.put(PATHS[1], {"token": "old"})
    with pytest.raises(Transient, match=r"did not answer within 0\.2 s") as told:
        change(open_it(timeout=0.2), PATHS[1])
    assert told.value.unheard
    with pytest.raises(Transient) as told:
        change(open_it(address=f"http://127.0.0.1:{broken.unused_port()}"), PATHS[1])
    assert not told.value.unheard
