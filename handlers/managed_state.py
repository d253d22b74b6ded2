"""How the tokens are: of each service and on each of its nodes, and who must act. For the inventory and /tokens."""

from __future__ import annotations

from collections.abc import Mapping

from bot.core.checklist import Offer
from bot.core.grid import Inventory, Service
from bot.core.inventory import Credential, Freshness
from bot.core.ports import ReadTools
from bot.core.records import Record
from handlers.managed_records import BROUGHT, errors_of, forgotten, place, said, signs_in, troubles
from handlers.managed_tokens import ONBOARD, PUSH, REFRESH, UID, accept, barred, left_out, listed

LATE = 3 * 3600.0  # seconds since a push that is to come hourly
SOON = 12 * 3600.0  # seconds that a token on a node still lives, which is renewed hourly
HOUR, DAY = 3600.0, 86400.0


class Look:
    """What is remembered of all tokens, read once."""

    def __init__(self, found: Inventory, tools: ReadTools) -> None:
        self.now = tools.now()
        self.threshold = found.errors_before_mail
        self.obtained = {one.key: one for one in tools.records.all(BROUGHT["obtain"])}
        self.pushed = {one.key: one for one in tools.records.all(BROUGHT["push"])}
        self.troubles: Mapping[str, Record] = troubles(tools)
        self.tried = {*self.obtained, *(key.partition(":")[2].partition("@")[0] for key in self.troubles)}
        self.asks_ferry = REFRESH in tools.commands
        known = {one.key: one.value.get("becomes") for one in tools.records.all(UID)}
        sound = (one for one in found.services if one.uid is None and barred(one, tools) is None)
        self.becomes = {one.name: known.get(one.account) for one in sound}
        self.left_out = {one.name: left_out(one, tools, nodes=bool(one.nodes)) for one in found.services}

    def of(self, service: Service) -> tuple[Credential, ...]:
        """The service's own token, then that on each of its nodes."""
        own = self.own(service)
        stuck = bool(self.left_out[service.name]) or own.alarm == "sign in"
        told = bool(own.alarm) or stuck
        return own, *(self.on(service, node, told=told, stuck=stuck) for node in dict.fromkeys(service.nodes))

    def new(self, service: Service) -> bool:
        """Has nothing been tried for it yet? Then nobody relies on its tokens, and its nodes have nothing to tell."""
        return service.name not in self.tried

    def own(self, service: Service) -> Credential:
        had, out = self.obtained.get(service.name), self.left_out[service.name]
        failed = self.troubles.get(f"obtain:{service.name}")
        unstored = self._unstored(service)
        told, alarm = "", ""
        if failed is not None or (failed := next((one for one in unstored if signs_in(one)), None)):
            alarm = "sign in" if signs_in(failed) else self._often(failed)
            told = said(failed)
        elif out:
            told, alarm = out, "" if self.new(service) else "uid"
        elif unstored:
            told, alarm = _not_stored(unstored), max(self._often(one) for one in unstored)
        ends = _until(had)
        return Credential(
            name=service.name[:200],
            state="missing" if self.new(service) else "degraded" if told else self._state(had),
            written_at=had.seen_at if had else None,
            expires_at=ends,
            told=(told or self._nothing(service))[:300],
            offer=self._mends(service, failed),
            alarm=alarm,
        )

    def on(self, service: Service, node: str, *, told: bool, stuck: bool) -> Credential:
        """`told`: the service's own trouble is one already, so that its nodes raise no alarm of their own; `stuck`: no
        push would help while it lasts."""
        where = place(service.name, node)
        had, failed = self.pushed.get(where), self.troubles.get(f"push:{where}")
        state: Freshness = self._state(had)
        alarm = self._often(failed) if failed is not None else ""
        if state == "expired":
            alarm = "expired"
        elif self._soon(had):
            alarm = alarm or "ends soon"
        why = said(failed) if failed is not None else ("" if state == "fresh" else self._why(had))
        if told and failed is None and state != "fresh":
            why = f"It waits for {service.name} itself, whose trouble is told apart."
        return Credential(
            name=where[:200],
            state="degraded" if failed is not None and state in ("fresh", "due") else state,
            written_at=had.seen_at if had else None,
            expires_at=_until(had),
            told=why[:300],
            offer=None if stuck or (state == "fresh" and failed is None) else _again(service, node),
            alarm="" if told else alarm,
        )

    def _state(self, had: Record | None) -> Freshness:
        if had is None:
            return "missing"
        left = (_until(had) or 0) - self.now
        if left <= 0:
            return "expired"
        return "due" if self._soon(had) or self.now - had.seen_at > LATE else "fresh"

    def _soon(self, had: Record | None) -> bool:
        """In half a day, or in the last quarter of a token that never lives long."""
        if had is None:
            return False
        until = float(had.value["until"])
        return until - self.now < min(SOON, (until - had.since) / 4)

    def _why(self, had: Record | None) -> str:
        if had is None:
            return f"It was never pushed: /{PUSH} does."
        if (_until(had) or 0) <= self.now:
            return f"The token there has ended, and jobs find none that works: /{PUSH}"
        if self._soon(had):
            return f"The token there ends in {span((_until(had) or 0) - self.now)}, and no new one came: /{PUSH}"
        return f"It was pushed {span(self.now - had.seen_at)} ago; an hourly schedule brings it anew."

    def _nothing(self, service: Service) -> str:
        return f"No token was had for it yet: /{PUSH} {service.name}" if self.new(service) else ""

    def _mends(self, service: Service, failed: Record | None) -> Offer | None:
        if failed is not None:
            return _sign_in(service) if signs_in(failed) else None
        if self.left_out[service.name]:
            becomes = self.becomes.get(service.name)
            offer = _ask_ferry(service) if becomes is None else accept(service.account, becomes)
            return offer if self.asks_ferry else None
        return _push(service) if self.new(service) else None

    def _unstored(self, service: Service) -> tuple[Record, ...]:
        """The schedds whose credds its token could not be put into."""
        prefix = f"store:{service.name}@"
        return tuple(
            one for key, one in self.troubles.items() if key.startswith(prefix) and not forgotten(one, self.now)
        )

    def _often(self, failed: Record) -> str:
        return "failing" if errors_of(failed) >= self.threshold else ""


def _not_stored(found: tuple[Record, ...]) -> str:
    schedds = listed(tuple(one.key.partition("@")[2] for one in found), 3)
    return f"HTCondor lacks it on {schedds}: {said(found[0])}"


def _until(had: Record | None) -> float | None:
    return float(had.value["until"]) if had is not None else None


def _sign_in(service: Service) -> Offer:
    return Offer(label=f"Sign in for {service.name}"[:75], command=ONBOARD, ask={"service": service.name})


def _ask_ferry(service: Service) -> Offer:
    return Offer(label=f"Ask FERRY of {service.account}"[:75], command=REFRESH, ask={"account": [service.account]})


def _push(service: Service) -> Offer:
    return Offer(label=f"Push {service.name}"[:75], command=PUSH, ask={"service": [service.name]})


def _again(service: Service, node: str) -> Offer:
    return Offer(label=f"Push to {node}"[:75], command=PUSH, ask={"service": [place(service.name, node)]})


def span(seconds: float) -> str:
    """About how long, for people."""
    for unit, size in (("day", DAY), ("hour", HOUR)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}s"
    return f"{max(seconds, 0) / 60:.0f} min"
