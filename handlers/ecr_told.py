"""A refresh in words: titles, notes and warnings that stay short for one target and for two hundred."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import groupby

from bot.core.aws import Caller
from bot.core.errors import Told
from bot.core.kubernetes import backup_name
from bot.core.plan import Note
from handlers.ecr import Target
from handlers.ecr_found import Found
from handlers.ecr_ground import Ground
from handlers.ecr_look import Held, told

EACH = 4  # targets with a note of their own; more are counted by environment
LEFT_OUT = "left out."
PAUSED = "paused and will not be restarted; resuming does the same."
NAMED = 3  # names in one sentence before it says how many more there are


def title(found: Iterable[Found]) -> str:
    """What will happen, in one sentence."""
    due, restarts, accounts = _sums(tuple(found))
    parts = [counted("ECR pull secret", due, "Refresh {}"), counted("service account", accounts, "patch {}")]
    parts.append(counted("Deployment", restarts, "restart {}"))
    said = " and ".join(filter(None, [", ".join(filter(None, parts[:-1])), parts[-1]]))
    return said[:1].upper() + said[1:]


def _sums(found: tuple[Found, ...]) -> tuple[int, int, int]:
    return (
        sum(one.due for one in found),
        sum(len(one.restart) for one in found),
        sum(len(one.accounts) for one in found),
    )


def counted(thing: str, count: int, words: str = "{}") -> str:
    """ "3 Deployments" in these words; empty for none."""
    return words.format(f"{count} {thing}{'s' if count > 1 else ''}") if count else ""


def notes(found: tuple[Found, ...], ground: Ground, now: float) -> tuple[Note, ...]:
    """What is there now, what takes its place, who restarts, and who we are at Amazon."""
    if len(found) > EACH:
        facts = tuple(_of_environment(name, one) for name, one in _by_environment(found))
    else:
        facts = tuple(note for one in found for note in _of_target(one, now))
    idle = () if any(one.restart for one in found) else (NO_RESTART,)
    return (*facts, *idle, *_callers(ground))


NO_RESTART = Note(
    label="No restart", text="pods that wait for an image try again by themselves, with the new login, within minutes"
)


def _of_target(found: Found, now: float) -> tuple[Note, ...]:
    one = found.target
    kept = f"; the logins for {listed(found.held.others)} stay" if found.held.others else ""
    new = f" A new login for {one.registry} is written{kept}." if found.due else " It stays as it is."
    facts = [
        Note(
            label=one.name,
            text=f"{one.secret} in cluster {one.cluster}{_inside(found.held)}: {told(found.held, now)}.{new}",
        )
    ]
    if found.restart:
        facts.append(Note(label=f"Restarts in {one.name}", text=listed(found.restart, 10)))
    return tuple(facts)


def _inside(held: Held) -> str:
    """Type and registries, of one that is there and can be read; what is wrong with another is told after it."""
    hosts = (*((held.target.registry,) if held.entry else ()), *held.others)
    return f" ({held.type}, with {listed(hosts)})" if hosts and not held.misplaced else ""


def _by_environment(found: tuple[Found, ...]) -> tuple[tuple[str, tuple[Found, ...]], ...]:
    return tuple((name, tuple(group)) for name, group in groupby(found, key=lambda one: one.target.env))


def _of_environment(name: str, found: tuple[Found, ...]) -> Note:
    first = found[0].target
    missing = sum(one.due and not one.held.there for one in found)
    ends = [one.held.expires_at for one in found if one.due and one.held.expires_at is not None]
    due, restarts, accounts = _sums(found)
    parts = [
        counted("pull secret", due, "{} " + f"written for {first.registry}"),
        f"{missing} of them new" if missing else "",
        counted("service account", accounts, "{} patched"),
        counted("Deployment", restarts, "{} restarted"),
    ]
    text = f"{', '.join(filter(None, parts))}, in cluster {first.cluster}"
    soonest = min(ends, default=None)
    return (
        Note(label=name, text=f"{text}; the first login there ends", at=soonest)
        if soonest
        else Note(label=name, text=text)
    )


def _callers(ground: Ground) -> tuple[Note, ...]:
    callers = ground.callers.items()
    found = {f"{caller.arn} ({at[1]})": None for at, caller in callers if isinstance(caller, Caller)}
    return (Note(label="At Amazon we are", text=listed(tuple(found))),) if found else ()


def warnings(found: tuple[Found, ...], ground: Ground) -> tuple[str, ...]:
    """What the approver should know, each kind once, however many targets it is about."""
    doubts = ((one.target, doubt) for one in found if one.due for doubt in ground.doubts(one.target))
    return (*_paused(found), *_others(found), *_of_kinds(found), *_remnants(found), *gathered(doubts))


def lasting(warnings: Iterable[str]) -> tuple[str, ...]:
    """Those warnings of a plan that are as true when it was carried out."""
    return tuple(one for one in warnings if one.endswith(PAUSED) or left_out_by((one,)))


def left_out_by(warnings: Iterable[str]) -> tuple[str, ...]:
    """Those that say which targets a plan does nothing for."""
    return tuple(one for one in warnings if f": {LEFT_OUT} " in one)


def _paused(found: tuple[Found, ...]) -> tuple[str, ...]:
    names = tuple(f"{name} in {one.target.name}" for one in found for name in one.paused)
    verb = "is" if len(names) == 1 else "are"
    return (f"{listed(names)} {verb} {PAUSED}",) if names else ()


def _others(found: tuple[Found, ...]) -> tuple[str, ...]:
    names = tuple(f"{name} in {one.target.name}" for one in found for name in one.others)
    verb = "pulls" if len(names) == 1 else "pull"
    return (
        (f"{listed(names)} also {verb} with the secret; only Deployments are restarted, new pods take the new login.",)
        if names
        else ()
    )


def _remnants(found: tuple[Found, ...]) -> tuple[str, ...]:
    """What an earlier run kept is not put back unasked: nobody knows who removed the secret, and why."""
    told = (
        (one.target, f"the secret is gone, and {backup_name(one.target.secret)} beside it has logins for "
                     f"{listed(one.remnant)}; they are not put back. Copy them by hand if they are needed.")
        for one in found if one.remnant
    )  # fmt: skip
    return gathered(told)


def _of_kinds(found: tuple[Found, ...]) -> tuple[str, ...]:
    due = tuple(one for one in found if one.due)
    named = ((tuple(one.target.name for one in due if is_so(one)), words) for is_so, words in KINDS)
    return tuple(words.format(listed(names)) for names, words in named if names)


def _unused(one: Found) -> bool:
    return not one.users and not one.others


def _by_account(one: Found) -> bool:
    return bool(one.users) and all(user.account for user in one.users)


def _unreadable(one: Found) -> bool:
    return bool(one.held.trouble) and not one.held.misplaced


KINDS: tuple[tuple[Callable[[Found], bool], str], ...] = (
    (_unused, "No workload pulls with the secret in {}."),
    (_by_account, "In {} the Deployments name no pull secret; they get it through their service account."),
    (lambda one: one.held.misplaced, "In {} the secret has the wrong type, so it is deleted and created."),
    (_unreadable, "In {} the login that is there cannot be read; the old secret is kept beside the new one."),
    (lambda one: bool(one.held.manager), "In {} something else writes the secret too, and may put the old one back."),
)


def gathered(told: Iterable[tuple[Target, str]]) -> tuple[str, ...]:
    """One sentence for each thing that is said, with the names of those it is said of."""
    said: dict[str, list[str]] = {}
    for target, words in told:
        said.setdefault(words, []).append(target.name)
    return tuple(f"{listed(tuple(names))}: {words}" for words, names in said.items())


def failures(failed: Mapping[Target, Told]) -> tuple[str, ...]:
    """Why targets were left out."""
    return gathered((target, f"{LEFT_OUT} {error}") for target, error in failed.items())


def listed(names: tuple[str, ...], most: int = NAMED) -> str:
    """Names as people write them: "a", "a and b", "a, b and 4 more"."""
    if len(names) > most:
        return f"{', '.join(names[: most - 1])} and {len(names) - most + 1} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
