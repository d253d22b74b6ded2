"""Faults to order: which requests they hit, how often, and what happens to those."""

from __future__ import annotations

from dataclasses import dataclass

from playground.vault_answers import Answer, Asked


@dataclass(frozen=True)
class Fault:
    """Hits requests below `path` (empty: all) that need one of `capabilities` (empty: any), `times` times (0: always).

    `answer` replaces Vault's own, `delay` holds it back (seconds), `cut` closes the connection after so many bytes of
    its body (what was asked has been done then).
    """

    path: str = ""
    capabilities: tuple[str, ...] = ()
    times: int = 0
    answer: Answer | None = None
    delay: float = 0
    cut: int | None = None

    def fits(self, asked: Asked, capability: str) -> bool:
        # "sd-uhc/sandbox" is also reached as "sd-uhc/data/sandbox" in version 2 of the engine
        plain = asked.path.replace("/data/", "/", 1)
        below = not self.path or any((p + "/").startswith(self.path.rstrip("/") + "/") for p in (asked.path, plain))
        return below and (not self.capabilities or capability in self.capabilities)
