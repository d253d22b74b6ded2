"""The steps of bringing tokens: get one for each service, store it, look at the nodes, and put it there.

They hold names; of a token they know its fingerprint. What a step finds out it remembers, so that a run that is asked
for again does only what is missing.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from bot.core.errors import Drifted, Refused
from bot.core.grid import Held, Service
from bot.core.plan import RunRef, Step
from bot.core.ports import ReadTools, Tools
from bot.core.side_by_side import each
from handlers.managed_records import BROUGHT, PING, began, brought, fresh, noting, place, trouble
from handlers.managed_tokens import as_shown, named, uid_of

SSH, USUAL = 22, "/tmp"  # noqa: S108 - where nodes are reached, and jobs look for tokens, unless the settings say otherwise
PINGS = 64  # at the same time
NAMED = 100  # nodes that did not answer


class ObtainToken(Step):
    """A Vault token for a service, in the bot's memory. Carried out each time: Vault may have revoked what is held."""

    kind: Literal["tokens.obtain"] = "tokens.obtain"
    proves: ClassVar[bool] = True
    service: str
    principal: str
    source: str  # Vault's address, then the paths there
    mark: str

    def says(self) -> str:
        address = self.source.partition(" ")[0]
        return f"Get a Vault token for {self.service} as {self.principal}{address and f' from {address}'}"

    def done(self, tools: ReadTools) -> bool:
        return tools.vault_tokens.held(named(tools, self.service)) is not None

    def do(self, tools: Tools, run: RunRef) -> None:
        service = as_shown(tools, self.service, self.mark)
        with noting(tools, run, "obtain", self.service):
            obtained(tools, service, run)

    def undo(self, tools: Tools, run: RunRef) -> None:
        """Nothing was changed outside."""


class StoreToken(Step):
    """A service's token into the credd of one schedd."""

    kind: Literal["tokens.store"] = "tokens.store"
    atomic: ClassVar[bool] = True  # a credd takes a token or does not
    service: str
    schedd: str
    mark: str
    after: float

    @property
    def where(self) -> str:
        return place(self.service, self.schedd)

    def says(self) -> str:
        return f"Store the token of {self.service} for {self.schedd}"

    def done(self, tools: ReadTools) -> bool:
        held = tools.vault_tokens.held(named(tools, self.service))
        return fresh(tools.records.get(BROUGHT["store"], self.where), held, after=self.after, mark=self.mark)

    def do(self, tools: Tools, run: RunRef) -> None:
        service = as_shown(tools, self.service, self.mark)
        held = token(tools, service, run)
        with noting(tools, run, "store", self.where), tools.meter.timing("store", self.service):
            tools.credds.store(service, self.schedd)
        brought(tools, run, "store", self.where, {**remembered(held), "mark": self.mark})


class PingNodes(Step):
    """Whether a service's nodes answer. A guess that warns; nobody is kept from trying."""

    kind: Literal["tokens.ping"] = "tokens.ping"
    proves: ClassVar[bool] = True
    service: str
    nodes: tuple[str, ...]

    def says(self) -> str:
        which = "the node" if len(self.nodes) == 1 else f"the {len(self.nodes)} nodes"
        return f"See whether {which} of {self.service} can be reached"

    def done(self, tools: ReadTools) -> bool:
        return tools.records.get(PING, self.service) is not None

    def do(self, tools: Tools, run: RunRef) -> None:
        began(tools, run, "ping")

        def up(node: str) -> bool:
            with tools.meter.timing("ping"):
                return tools.nodes.reachable(node)

        answers = each(up, self.nodes, at_most=PINGS)
        silent = [node for node, answer in zip(self.nodes, answers, strict=True) if answer is not True]
        tools.records.put(PING, self.service, {"silent": silent[:NAMED], "all": len(silent)}, run=run.id)

    def undo(self, tools: Tools, run: RunRef) -> None:
        """Nothing was changed."""


class PushToken(Step):
    """A service's token to its places on one node, as its account."""

    kind: Literal["tokens.push"] = "tokens.push"
    atomic: ClassVar[bool] = True  # each file is renamed into its place
    service: str
    node: str
    there: str  # where the node is really reached
    account: str
    uid: int
    mark: str
    after: float

    @property
    def where(self) -> str:
        return place(self.service, self.node)

    def says(self) -> str:
        usual = self.there in ("", f"{self.node}:{SSH}{USUAL}")
        node = self.node if usual else f"{self.node} (at {self.there})"
        return f"Push the token of {self.service} to {node} as {self.account} (UID {self.uid})"

    def done(self, tools: ReadTools) -> bool:
        held = tools.vault_tokens.held(named(tools, self.service))
        there = tools.records.get(BROUGHT["push"], self.where)
        return fresh(there, held, after=self.after, mark=self.mark, uid=self.uid)

    def do(self, tools: Tools, run: RunRef) -> None:
        service = self._as_shown(tools)
        held = token(tools, service, run)
        with noting(tools, run, "push", self.where), tools.meter.timing("push", self.service):
            tools.nodes.push(service, self.node, self.uid)
        brought(tools, run, "push", self.where, {**remembered(held), "mark": self.mark, "uid": self.uid})

    def _as_shown(self, tools: ReadTools) -> Service:
        """What was approved is what is pushed: this account, with this UID, on a node of the service."""
        service = as_shown(tools, self.service, self.mark)
        moved = self.node not in service.nodes or tools.nodes.there(self.node) != self.there
        if moved or uid_of(service, tools) != self.uid:
            raise Drifted(
                f"Since the plan was shown, {self.service} has got another UID, or {self.node} is gone or elsewhere.",
                "Nothing was put there. Ask again, and look at the new plan.",
            )
        return service


def token(tools: Tools, service: Service, run: RunRef) -> Held:
    """The token to bring. Where this run could not get one, what the service's own step said is all there is to say;
    after a restart of the bot, which remembers no token, it is got anew."""
    held = tools.vault_tokens.held(service)
    if held is not None:
        return held
    found = trouble(tools, "obtain", service.name)
    if found is not None and found.run == run.id:
        raise Refused(found.value["what"], found.value["now"])
    return obtained(tools, service, run)


def obtained(tools: Tools, service: Service, run: RunRef) -> Held:
    with tools.meter.timing("obtain", service.name):
        held = tools.vault_tokens.obtain(service)
    brought(tools, run, "obtain", service.name, remembered(held))
    return held


def remembered(held: Held) -> dict[str, Any]:
    return {"fingerprint": held.fingerprint, "until": held.expires_at}
