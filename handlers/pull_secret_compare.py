"""What a new pull secret would change in a cluster's own, and whether it is sound. Nothing is ever taken away."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass

from bot.core.errors import Refused, Told
from bot.core.ports import ReadTools
from bot.core.registry import Pull
from bot.core.secret import Secret
from bot.core.side_by_side import each
from bot.core.value import Value
from handlers.ecr_told import counted, listed
from handlers.pull_secret_clusters import OCM_HOST
from handlers.pull_secret_look import Seen

EMPTY = '{"auths":{}}'
REFUSING = ("unauthorized", "expired", "denied")
MOST_TRIED = 40  # registries of one document
SHOWN = 5  # problems in one sentence
AGAIN = "The transfer's recipient gives OCM the right pull secret, and starts the transfer anew."


class Row(Value):
    """One registry of the new pull secret. `old` None: the cluster does not have it yet. Fingerprints."""

    host: str
    old: str | None
    new: str

    @property
    def same(self) -> bool:
        return self.old == self.new


@dataclass(frozen=True)
class Comparison:
    """`merged`: the cluster's pull secret with the new one put into it. Never stored."""

    rows: tuple[Row, ...]
    merged: Secret
    differs: bool

    @property
    def changed(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if not row.same)

    def told(self) -> str:
        """How many of each, in words."""
        new = sum(row.old is None for row in self.rows)
        same = len(self.rows) - len(self.changed)
        counts = ((same, "same"), (len(self.changed) - new, "replaced"), (new, "added"))
        words = [f"{count} {word}" for count, word in counts if count]
        return ", ".join(words) + ("" if self.changed or not self.differs else ", but for e-mails and the like")


def compare(seen: Seen, tools: ReadTools) -> Comparison:
    """Refused when the new pull secret is damaged, or either cannot be merged. A null in it says nothing."""
    assert seen.offered is not None, "only an open window is compared"
    old, configs = seen.held.document, tools.docker_configs
    given = sound(seen.cluster, seen.offered, tools)
    try:
        merged = configs.merge(old, given)
    except Refused as refusal:
        raise Refused(f"{seen.cluster}: the pull secrets cannot be merged: {refusal.what}", refusal.now) from None
    before, after = ({one.host: one.fingerprint for one in configs.entries(each_)} for each_ in (old, merged))
    rows = tuple(Row(host=one.host, old=before.get(one.host), new=after[one.host]) for one in configs.entries(given))
    return Comparison(rows, merged, differs=not tools.fingerprints.same(old, merged))


def sound(cluster: str, offered: Secret, tools: ReadTools) -> Secret:
    """The new document without its nulls. Refused (DataCorrupted) with what is wrong in it."""
    try:
        given = tools.docker_configs.merge(Secret(EMPTY), offered)
        problems = tools.docker_configs.problems(given)
    except Refused as refusal:
        problems = (refusal.what,)
    hosts = () if problems else tuple(one.host for one in tools.docker_configs.entries(given))
    if not problems:
        problems = tuple(f"{host} is the machine itself, and no registry." for host in hosts if own_machine(host))
        problems = problems if hosts else ("It has no registry in it.",)
    if problems:
        more = f" And {len(problems) - SHOWN} problems more." if len(problems) > SHOWN else ""
        told = " ".join(problems[:SHOWN]) + more
        raise Refused(f"{cluster}: DataCorrupted: the new pull secret is damaged. {told}", AGAIN)
    return given


def own_machine(host: str) -> bool:
    """Does it lead whoever asks it back to itself, or to its cloud's own address? As resolvers read it: 127.1, too."""
    name = host.rpartition("//")[2].partition("/")[0].partition(":")[0].lower()
    try:
        address = ipaddress.ip_address(socket.inet_aton(name))
    except OSError:
        return name == "localhost" or name.endswith(".localhost")
    return address.is_loopback or address.is_link_local or address.is_unspecified


def tried(found: Comparison, tools: ReadTools) -> tuple[tuple[str, Pull], ...]:
    """What the registries say to each login that is new: asked as a node would log in, side by side. OCM's own entry is
    not tried: it is good for OCM only once the transfer is done."""
    hosts = [row.host for row in found.changed if row.host != OCM_HOST][:MOST_TRIED]
    said = each(lambda host: _accepts(host, found.merged, tools), hosts, at_most=MOST_TRIED)
    return tuple((host, _pull(one)) for host, one in zip(hosts, said, strict=True))


def _accepts(host: str, document: Secret, tools: ReadTools) -> Pull:
    return tools.registries.accepts(host, tools.docker_configs.login(document, host))


def _pull(said: Pull | Told) -> Pull:
    return Pull(outcome="error", told=said.what) if isinstance(said, Told) else said


def _good(pull: Pull) -> bool:
    return pull.outcome == "ok" and pull.tried


def rejected(cluster: str, pulls: tuple[tuple[str, Pull], ...]) -> Refused | None:
    """The refusal when a registry does not take its new login."""
    bad = tuple(host for host, pull in pulls if pull.outcome in REFUSING)
    if not bad:
        return None
    first = next(pull for _, pull in pulls if pull.outcome in REFUSING)
    return Refused(f"{cluster}: the new pull secret is not accepted by {listed(bad)}. {first.told}", AGAIN)


def doubts(cluster: str, found: Comparison, pulls: tuple[tuple[str, Pull], ...]) -> tuple[str, ...]:
    """What could not be tried, and keeps nobody from going on."""
    untried = tuple(host for host, pull in pulls if pull.outcome not in REFUSING and not _good(pull))
    left_out = len([row for row in found.changed if row.host != OCM_HOST]) - len(pulls)
    warned = []
    if untried:
        why = next(pull.told for host, pull in pulls if host == untried[0])
        warned.append(f"{cluster}: the new login could not be tried at {listed(untried)}. {why}")
    if left_out:
        warned.append(f"{cluster}: {counted('more new login', left_out)} could not be tried, for there are too many.")
    if all(row.host != OCM_HOST for row in found.rows):
        warned.append(
            f"{cluster}: the new pull secret has no entry for {OCM_HOST}, so the cluster stays the old owner's."
        )
    return tuple(warned)


def accepted(pulls: tuple[tuple[str, Pull], ...]) -> str:
    """In a few words, for a table."""
    good = sum(_good(pull) for _, pull in pulls)
    bad = tuple(host for host, pull in pulls if pull.outcome in REFUSING)
    said = [counted("login", good, "{} accepted"), f"refused by {listed(bad)}" if bad else ""]
    rest = len(pulls) - good - len(bad)
    return ", ".join(filter(None, [*said, f"{rest} not tried" if rest else ""]))
