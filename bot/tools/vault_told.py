"""What Vault's refusals mean, in our words. Vault's own text is only looked at, never passed on."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from bot.core.errors import Refused, Told, Transient
from bot.tools.http_answer import GAVE_UP

AGAIN = "Try again in a minute."
BACKUP = re.compile(r"-before-r-[a-z0-9-]+$")  # on KV 1: what a run keeps beside a path (bot.tools.vault.sibling)


@dataclass(frozen=True)
class Doing:
    """What the bot is about to do at Vault: a verb, where, and what its role needs for it.

    `path` is as people write it, `at` is where the policy must grant `needs` (KV v2 has `data/` in it).
    """

    verb: str
    path: str
    needs: str = "read"
    at: str = ""

    def __str__(self) -> str:
        return f"{self.verb} {self.path}"

    @property
    def changes(self) -> bool:
        return self.verb in ("write", "delete")

    @property
    def missing(self) -> str:
        if BACKUP.search(self.path):  # the next run has another name
            every = BACKUP.sub("-before-*", self.path)
            return f"The bot's role needs `create`, `read` and `delete` on {every}: there it keeps what a run replaces."
        where = f"on {self.at}" if self.at and self.at != self.path else "there"
        return f"The bot's role needs `{self.needs}` {where}."


@dataclass(frozen=True)
class Reply:
    """One answer: HTTP status, the JSON object (None if it was none), seconds to wait if Vault said so."""

    status: int
    document: dict[str, Any] | None = field(repr=False)
    after: float | None = None

    @property
    def ok(self) -> bool:
        return self.status in (200, 204)

    @property
    def absent(self) -> bool:
        """Nothing at this path of an existing mount."""
        return self.status == 404 and not self.mentions("no handler for route")

    @property
    def overtaken(self) -> bool:
        """Somebody else wrote since we read (check-and-set)."""
        return self.status == 400 and self.mentions("check-and-set parameter did not match")

    def mentions(self, words: str) -> bool:
        """Do Vault's errors or warnings contain these lower-case words? They always contain none."""
        if not words:
            return True
        told = self.document or {}
        lists = [told.get(key) for key in ("errors", "warnings")]
        texts = [text for texts in lists if isinstance(texts, list) for text in texts if isinstance(text, str)]
        return any(words in text.lower() for text in texts)


class Rule(NamedTuple):
    """Statuses from `low` to `high`, and words that Vault then uses if the status alone does not tell."""

    low: int
    high: int
    words: str
    kind: type[Told]
    what: str  # {doing} {path} {status}
    now: str


RULES = (  # the first that fits
    Rule(300, 399, "", Refused, "Vault sent the bot to another address when asked to {doing} ({status}); it does not "
         "follow with its token.", "Set vault.address to the address of the active node or of the load balancer."),
    Rule(400, 400, "upgrading from non-versioned", Transient,
         "Vault is converting the mount of {path} to KV version 2 ({status}).", AGAIN),
    Rule(404, 404, "no handler for route", Refused, "Vault has no secrets engine at {path} ({status}).",
         "Check the path in the settings: it starts with the mount. If it is right, check vault.namespace."),
    Rule(404, 404, "", Refused, "Vault found nothing when asked to {doing} ({status}).",
         "Check the path in the settings."),
    Rule(405, 405, "", Refused, "What is mounted at {path} is not a KV secrets engine ({status}).",
         "Check the path in the settings."),
    Rule(412, 412, "", Transient, "The Vault node that was asked to {doing} is behind the others ({status}).", AGAIN),
    Rule(429, 429, "", Transient, "Vault is asked too often and did not {doing} ({status}).", AGAIN),
    Rule(472, 473, "", Transient, "The Vault node that was asked to {doing} is a standby ({status}).",
         "If this goes on, set vault.address to the active node."),
    Rule(501, 501, "", Refused, "Vault is not initialised ({status}), so it cannot {doing}.", "Ask those who run it."),
    # A Vault that unseals itself is sealed for seconds after a restart: a run in the middle waits that out.
    Rule(503, 503, "sealed", Transient, "Vault is sealed ({status}), so it cannot {doing}.",
         "Someone with unseal keys must unseal it; then ask again."),
    Rule(500, 599, "active cluster node not found", Transient,
         "Vault has no active node just now ({status}), so it cannot {doing}.", AGAIN),
    Rule(502, 504, "", Transient, "Vault is not reachable behind its load balancer ({status}) to {doing}.", AGAIN),
    Rule(500, 999, "", Transient, "Vault failed inside when asked to {doing} ({status}).",
         AGAIN + " If it goes on, Vault's server log tells more."),
    Rule(0, 499, "", Refused, "Vault did not understand the request to {doing} ({status}).",
         "Look at Vault's audit log; if the request is right there, report it as a fault of the bot."),
)  # fmt: skip


def refusal(reply: Reply, doing: Doing, *, token_unknown: bool = False) -> Told:
    """The error for an answer that is not a success. `token_unknown`: Vault does not know the bot's token either."""
    if reply.status in (401, 403) and token_unknown:
        return Refused(
            f"Vault refused to {doing} ({reply.status}) and does not accept the bot's own token either.",
            "The token has expired or was revoked: put a new one where vault.auth says.",
        )
    if reply.status in (401, 403):
        return Refused(f"Vault refused to {doing} ({reply.status}).", doing.missing)
    rule = next(rule for rule in RULES if rule.low <= reply.status <= rule.high and reply.mentions(rule.words))
    what = rule.what.format(doing=doing, path=doing.path, status=reply.status)
    if rule.kind is not Transient:
        return rule.kind(what, rule.now)
    return Transient(what, rule.now, after=reply.after, unheard=doing.changes and reply.status in GAVE_UP)


def misshapen(doing: Doing) -> Transient:
    """The answer was a success but not what Vault's API promises."""
    return Transient(
        f"What answered the request to {doing} does not speak like Vault.",
        "Check that vault.address is Vault itself and not a login page or a proxy.",
        unheard=doing.changes,
    )
