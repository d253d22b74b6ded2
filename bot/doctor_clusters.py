"""`hivekeeper check` for clusters: do they answer, whom do they take the bot for, and what may it do there?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bot.app import Parts
from bot.clusters import Cluster
from bot.core.errors import Refused, Told
from bot.core.handler import ClusterNeed, Handler
from bot.core.kubernetes import Access
from bot.core.secret import Secret
from bot.core.side_by_side import each
from bot.findings import Finding, looked

NAMED = 6  # lacking rights in one finding; the others are counted


def clusters(parts: Parts, commands: Mapping[str, Handler]) -> Iterator[Finding]:
    """All clusters of the settings; the rights are asked for only where the bot can log in."""
    for name, settings in parts.settings.clusters.items():
        if settings.token is None:
            yield _answers(name, settings)
            continue
        before = [*looked(f"cluster {name}", lambda name=name: _login(parts, name))]  # type: ignore[misc]  # lambda
        yield from before
        if before[0].good:
            yield from _rights(parts, name, commands)


def _answers(name: str, settings: Cluster) -> Finding:
    """It is shown a token that is none, and has to say so."""
    from bot.tools.cluster import Clusters

    try:
        Clusters({name: settings}).who(name, Secret("hivekeeper-check"))
    except Told as told:
        good = "(401)" in told.what
        now = "" if good else told.now
        return Finding(subject=f"cluster {name}", good=good, told="it answers." if good else told.what, now=now)
    return Finding(subject=f"cluster {name}", good=False, told="it accepts a token that is none.",
                   now="Check that the address is the API server itself.")  # fmt: skip


def _login(parts: Parts, name: str) -> str:
    from bot.tools.kubernetes_reader import ClusterReader

    tool = parts.read_tools.kubernetes
    assert isinstance(tool, ClusterReader)  # what the settings make
    version, who = tool.version(name), tool.who(name).name
    return f"it is {version} and accepts the bot's login" + (f" as {who}." if who else ".")


def _rights(parts: Parts, cluster: str, commands: Mapping[str, Handler]) -> Iterator[Finding]:
    for name, handler in commands.items():
        declared = handler.needs(parts.handler_settings[name])
        needs = tuple(n for n in declared if isinstance(n, ClusterNeed) and n.cluster == cluster)
        if needs:
            yield from looked(f"cluster {cluster} for /{name}", lambda needs=needs: _allowed(parts, needs))  # type: ignore[misc]  # lambda


def _allowed(parts: Parts, needs: tuple[ClusterNeed, ...]) -> str:
    told = each(lambda need: parts.read_tools.kubernetes.allowed(need.cluster, need.access), needs, at_most=8)
    for answer in told:
        if isinstance(answer, Told):
            raise answer
    lacking = [f"{_words(n.access)} ({n.reason})" for n, allowed in zip(needs, told, strict=True) if not allowed]
    if lacking:
        more = f" and {len(lacking) - NAMED} more" if len(lacking) > NAMED else ""
        raise Refused(
            f"the bot may not {', '.join(lacking[:NAMED])}{more}.",
            "Give its account that right; deploy/rbac shows the roles.",
        )
    return f"the bot may do all it needs ({len(needs)} rights)."


def _words(access: Access) -> str:
    group = f".{access.group}" if access.group else ""
    within = f" in {access.namespace}" if access.namespace else ""
    return f"{access.verb} {access.resource}{group}{'/' + access.name if access.name else ''}{within}"
