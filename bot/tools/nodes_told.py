"""What goes wrong on the way to a node and on it, for people. Nothing that a node or a library says is repeated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bot.core.errors import Refused, Told, Transient

Kind = Literal[
    "timeout", "login_hangs", "silent", "name", "refused", "unreachable", "hung_up", "cut", "strange", "kex", "login",
    "no_sftp", "no_directory", "not_directory", "not_sticky", "denied", "full", "quota", "read_only", "failed",
    "no_rename", "too_many",
]  # fmt: skip
AWAY: tuple[Kind, ...] = ("timeout", "login_hangs", "name", "refused", "unreachable")
PASSING: tuple[Kind, ...] = ("too_many", "silent", "hung_up", "cut")
KEPT = "The old token stands until a whole new one takes its place."
UP = "See whether it is up and lets the bot's network in; if it is gone for good, take it out of destinationNodes."


class Away(Transient):
    """The node is not there: whoever else wants it now would wait in vain."""


@dataclass(frozen=True)
class Where:
    """Whom the bot is, where. `directory`: of the files in question."""

    node: str
    account: str
    directory: str

    def told(self, kind: Kind, more: str = "") -> Told:
        """`more`: seconds, methods, whatever the sentence wants."""
        sort = Away if kind in AWAY else Transient if kind in PASSING else Refused
        what, now = SENTENCES[kind]
        names = {"node": self.node, "account": self.account, "directory": self.directory, "more": more}
        return sort(what.format_map(names), now.format_map(names))


SENTENCES: dict[Kind, tuple[str, str]] = {
    "timeout": ("{node} did not let the bot log in within {more} s.", UP),
    "login_hangs": (
        "{node} took the connection, but did not let the bot log in within {more} s.",
        "See whether it is overloaded, or waits for its user database; if many nodes do so, whether a KDC answers.",
    ),
    "silent": ("{node} stopped answering in mid-work ({more} s); the work there was given up.", f"{KEPT} {UP}"),
    "name": ("The name {node} is not known in DNS.", "Correct it in destinationNodes, or wait for DNS."),
    "refused": ("{node} is there, but nothing listens on its SSH port.", "Have its sshd started."),
    "unreachable": ("{node} cannot be reached over the network.", UP),
    "too_many": (
        "The bot has too many files and connections open to reach {node}.",
        "Raise its limit of open files (ulimit -n, LimitNOFILE), or lower nodes.at_once.",
    ),
    "hung_up": (
        "{node} hung up while the bot logged in.",
        "It is tried again; if it goes on, see what its sshd logs (MaxStartups, a firewall, a full disk).",
    ),
    "cut": (
        "The connection to {node} was cut in mid-work.",
        f"It is tried again. {KEPT}",
    ),
    "strange": ("What answers on {node} does not speak SSH as it should.", "See what listens on its SSH port."),
    "kex": (
        "{node} and the bot have no way to encrypt, or no kind of host key, in common.",
        "See that known_hosts holds the kinds of key it has; if it once had another, treat it as changed.",
    ),
    "login": (
        "{node} does not let {account} in with what the bot has ({more}).",
        "See that the account exists there and takes the service's ticket (.k5login; the KDC answers, and knows "
        "host/{node}) or key (authorized_keys).",
    ),
    "no_sftp": (
        "{node} lets {account} in, but offers no SFTP.",
        "Have its sshd offer `Subsystem sftp internal-sftp`: any other needs the account's shell, and it silent.",
    ),
    "no_directory": ("There is no {directory} on {node}.", "Have it made there, or correct nodes.directory."),
    "not_directory": ("{directory} on {node} is not a directory.", "Correct nodes.directory, or clear what is there."),
    "not_sticky": (
        "Everybody may rename and remove what others have in {directory} on {node}: it lacks the sticky bit.",
        "Have it set there (chmod +t); until then no token is put there.",
    ),
    "denied": ("{account} may not write in {directory} on {node}.", f"Correct the rights of the directory. {KEPT}"),
    "full": ("There is no room left in {directory} on {node}.", f"Make room there. {KEPT}"),
    "quota": (
        "{node} did not take {account}'s file in {directory}, though there is room: its quota, most likely.",
        f"Look at the account's quota there. {KEPT}",
    ),
    "read_only": ("{directory} on {node} is mounted read-only.", f"Have the node looked after. {KEPT}"),
    "failed": ("{node} failed to work on a file in {directory}, and does not say why.", f"Look at its disk. {KEPT}"),
    "no_rename": (
        "{node} cannot replace a file in one step (its SFTP has no posix-rename).",
        f"Use OpenSSH there, or allow nodes.replace_in_two_steps. {KEPT}",
    ),
}


def in_the_way(where: Where, path: str, kind: str, owner: int | None, uid: int) -> Refused:
    """Something stands where the token goes that the bot does not touch. `kind`: "a link", "a directory", …"""
    whose = "nobody says whose" if owner is None else f"of UID {owner}"
    if kind == "a file" and owner is not None:
        whose = f"of UID {owner}, not {uid}"
    return Refused(
        f"On {where.node} there is {kind} at {path} ({whose}), where {where.account}'s file goes; it was not touched.",
        "Somebody may have planted it: have it looked at and removed there, then push again.",
    )


def another_uid(where: Where, owner: int | None, uid: int) -> Refused:
    return Refused(
        f"On {where.node} the account {where.account} has the UID {owner}, but its token is meant for {uid}.",
        f"If FERRY says so, too, /refresh-uids takes it over; else correct desiredUIDOverride or the node. {KEPT}",
    )


def unlike(where: Where, path: str) -> Told:
    """What was read back is not what was written."""
    return Transient(
        f"What {where.node} gave back of the file for {path} is not what was written; it was thrown away.",
        f"It is tried again; if it goes on, look at the node's disk. {KEPT}",
    )


def host_key_unknown(node: str, shown: str, known_hosts: object) -> Refused:
    return Refused(
        f"{node} showed a host key that is not in {known_hosts} ({shown}); nothing was sent to it.",
        f"Compare that with the node's own (ssh-keygen -lf on its console), then add its line (ssh-keyscan {node}), "
        "or one @cert-authority line for all nodes.",
    )


def host_key_changed(node: str, shown: str, known_hosts: object) -> Refused:
    return Refused(
        f"⚠ THE HOST KEY OF {node} HAS CHANGED: it showed {shown}. It may be another machine in its place. "
        "Nothing was sent to it.",
        f"Ask who looks after it. Only if it was installed anew: replace its line in {known_hosts}.",
    )


def host_key_bad(node: str, known_hosts: object) -> Refused:
    return Refused(
        f"{node} showed a host key or certificate that {known_hosts} revokes, or that is not good for it (any more). "
        "Nothing was sent to it.",
        "Ask who looks after it for a good certificate, or replace its line.",
    )
