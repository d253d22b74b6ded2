"""What a managedTokens file says, as the upstream programs read it: keys in any case, `<key>Override` of a role before
the global key, `experimentOverride`. What is not understood is told by its place, never by its value: a value may be a
secret that stands in the wrong place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from re import Pattern
from typing import Any

from bot.core import managed_tokens_values as values
from bot.core.grid import Inventory, Service
from bot.core.managed_tokens_entries import merged

Tell = Callable[[str], None]

GLOBAL = (
    "keytabPath", "condorCollectorHost", "condorScheddConstraint", "condorCreddHost", "vaultServer",
    "serviceCreddVaultTokenPathRoot", "kerberosPrincipalPattern", "dbLocation", "errorCountToSendMessage",
    "defaultRoleFileDestinationTemplate", "pingOptions", "fileCopierOptions", "sshOptions", "disableNotifications",
    "devEnvironmentLabel", "minTokenLifetime", "timeouts", "ferry", "email", "logs", "prometheus", "loki", "tracing",
    "notifications", "notifications_test", "workerType", "experiments",
)  # fmt: skip
OVERRIDES = (
    "keytabPath", "userPrincipal", "desiredUID", "condorCreddHost", "condorCollectorHost", "condorScheddConstraint",
    "vaultServer", "serviceCreddVaultTokenPathRoot", "kerberosPrincipalPattern", "defaultRoleFileDestinationTemplate",
    "disableNotifications", "pingOptions", "fileCopierOptions", "sshOptions", "minTokenLifetime", "tokenGetter",
    "noCache",
)  # fmt: skip
EXPERIMENT = ("emails", "experimentOverride", "roles")
ROLE = ("account", "destinationNodes", *(f"{key}Override" for key in OVERRIDES))
TIMEOUTS = {"globalTimeout": 300, "kerberosTimeout": 20, "vaultStorerTimeout": 60, "pingTimeout": 10,
            "pushTimeout": 30, "ferryRequestTimeout": 30, "dbTimeout": 10}  # fmt: skip
ELSEWHERE = (
    "serviceCreddVaultTokenPathRoot", "dbLocation", "devEnvironmentLabel", "timeouts", "ferry", "email", "logs",
    "prometheus", "loki", "tracing", "notifications_test", "workerType",
)  # fmt: skip
FOR_PROGRAMS = {"pingOptions": "", "sshOptions": "", "fileCopierOptions": "--perms --chmod=u=r,go="}
GETTERS = ("gettoken", "storeandgettoken", "storeandgettokeninteractive")
ROLE_FILE = "/tmp/default_role_{{.Experiment}}_{{.DesiredUID}}"  # noqa: S108 - upstream's place, on the nodes
LONGEST_LIFETIME = 366 * 86400.0
LARGEST_UID = 2**31 - 1


def understood(document: object) -> Inventory:
    """The services of a file that has been read. Never fails: what it cannot make out is in `unclear`, and a service
    without an account, a keytab or a principal is left out."""
    told: list[str] = []
    whole = Part("", document, told.append)
    whole.only(GLOBAL)
    _check_timeouts(whole)
    _check_programs(whole)
    services = merged(_services(whole), told.append)
    notified = any(one.notify for one in services) or not whole.switch("disableNotifications", False)
    if not services:
        told.append("There is no service in it that can be served.")
    admins = whole.part("notifications").list("admin_email", values.EMAIL, "an e-mail address")
    errors = whole.number("errorCountToSendMessage", 1, 1000) or 3
    unclear = tuple(dict.fromkeys(told))
    return Inventory(
        services=services, unclear=unclear, admin_emails=admins if notified else (), errors_before_mail=errors,
        elsewhere=_elsewhere(whole),
    )  # fmt: skip


def _elsewhere(whole: Part) -> tuple[str, ...]:
    slack = "notifications.SLACK_ALERTS_URL" if whole.part("notifications").has("SLACK_ALERTS_URL") else ""
    return (*(key for key in ELSEWHERE if whole.has(key)), *([slack] if slack else ()))


class Part:
    """One mapping of the file. Its keys are found in any case; what is wrong with a value is told."""

    def __init__(self, place: str, value: object, tell: Tell) -> None:
        self.place, self._tell = place, tell
        self._spelled: dict[str, str] = {}
        self._values: dict[str, Any] = {}
        if value is not None and not isinstance(value, Mapping):
            tell(f"{place or 'The file'} is not a mapping of keys to values.")
        for key, inner in value.items() if isinstance(value, Mapping) else ():
            self._take(str(key), inner)

    def _take(self, key: str, inner: Any) -> None:
        if key.lower() in self._values:
            self._tell(f"{self.at(_shown(key))} is there twice, as upper and lower case do not matter; one is read.")
        self._spelled[key.lower()], self._values[key.lower()] = key, inner

    def at(self, key: str) -> str:
        return f"{self.place}.{key}" if self.place else key

    def only(self, known: tuple[str, ...]) -> None:
        """Tell of every key that is not known, and which one may be meant."""
        lower = {key.lower(): key for key in known}
        for key, spelled in self._spelled.items():
            if key not in lower:
                near = get_close_matches(key, lower, n=1, cutoff=0.75)
                hint = f"; did you mean {lower[near[0]]}?" if near else "."
                self._tell(f"{self.at(_shown(spelled))} is not a key that the bot knows{hint}")

    def keys(self) -> Iterator[str]:
        """Lower-cased, as upstream has experiments and roles."""
        yield from self._values

    def has(self, key: str) -> bool:
        return self._values.get(key.lower()) is not None

    def part(self, key: str) -> Part:
        return Part(self.at(_shown(key)), self._values.get(key.lower()), self._tell)

    def text(self, key: str) -> str:
        """The text there, "" for none."""
        value = self._values.get(key.lower())
        found = values.text(value)
        if found is None and value is not None:
            self._tell(f"{self.at(key)} is not text.")
        return found or ""

    def seconds(self, key: str, default: float) -> float:
        if not self.has(key):
            return default
        found = values.seconds(self.text(key))
        if found is None or found > LONGEST_LIFETIME:
            self._tell(f"{self.at(key)} is not a time with a unit, such as 10s, 5m or 3d; {default:g}s is taken.")
            return default
        return found

    def number(self, key: str, least: int, most: int) -> int | None:
        found = self.text(key)
        if found.isascii() and found.isdigit() and len(found) < 12 and least <= int(found) <= most:
            return int(found)
        if self.has(key):
            self._tell(f"{self.at(key)} is not a whole number from {least} to {most}.")
        return None

    def switch(self, key: str, default: bool) -> bool:
        found = values.switch(self._values.get(key.lower()))
        if found is None and self.has(key):
            self._tell(f"{self.at(key)} is neither true nor false.")
        return default if found is None else found

    def list(self, key: str, pattern: Pattern[str], what: str) -> tuple[str, ...]:
        """Its entries that fit the pattern, each once; those that do not are told by their number."""
        found = values.items(self._values.get(key.lower()))
        if found is None:
            self._tell(f"{self.at(key)} is not a list.")
        texts = [values.text(each) or "" for each in found or ()]
        for number, each in enumerate(texts, 1):
            if not pattern.fullmatch(each):
                self._tell(f"{self.at(key)}: entry {number} is not {what}.")
        fitting = [each for each in texts if pattern.fullmatch(each)]
        if len(set(fitting)) < len(fitting):
            self._tell(f"{self.at(key)} names one twice.")
        return tuple(dict.fromkeys(fitting))

    def tell(self, key: str, what: str) -> None:
        self._tell(f"{self.at(key)} {what}" if key else f"{self.place} {what}")


def _shown(key: str) -> str:
    """A key as it is told: what is no key's name could be anything."""
    return key if values.NAME.fullmatch(key) else "(something that is no name)"


def _check_timeouts(whole: Part) -> None:
    whole.seconds("minTokenLifetime", 10)  # also when no service comes to it
    part = whole.part("timeouts")
    part.only(tuple(TIMEOUTS))
    taken = {key: part.seconds(key, default) for key, default in TIMEOUTS.items()}
    if sum(taken.values()) - taken["globalTimeout"] > taken["globalTimeout"] and part.has("globalTimeout"):
        part.tell("globalTimeout", "is shorter than the other timeouts together; upstream would not start.")


def _check_programs(part: Part, suffix: str = "") -> None:
    """Options for programs that the bot does not run, told where they say more than it does anyway."""
    for key, usual in FOR_PROGRAMS.items():
        if part.text(key + suffix) not in ("", usual):
            part.tell(key + suffix, "is not followed: the bot reaches nodes itself, not through programs.")


def _stores(part: Part) -> bool:
    """Whether its token goes into HTCondor, too: upstream's way unless a role says that it is only to be had."""
    way = part.text("tokenGetterOverride").lower()
    if way not in ("", *GETTERS):
        part.tell("tokenGetterOverride", "is not one of getToken and storeAndGetToken; the token is stored, too.")
    return way != GETTERS[0]


def _services(whole: Part) -> Iterator[tuple[str, Service]]:
    """With the name that each has by its entry in the file."""
    experiments = whole.part("experiments")
    for name in experiments.keys():  # noqa: SIM118 - not a dict
        experiment = experiments.part(name)
        experiment.only(EXPERIMENT)
        emails = experiment.list("emails", values.EMAIL, "an e-mail address")
        roles = experiment.part("roles")
        if not [*roles.keys()]:
            experiment.tell("", "has no roles, so nothing is done for it.")
        for role in roles.keys():  # noqa: SIM118 - not a dict
            called = experiment.text("experimentOverride") or name
            yield from ((f"{name}_{role}", one) for one in _service(whole, called, role, roles.part(role), emails))


def _service(whole: Part, experiment: str, role: str, part: Part, emails: tuple[str, ...]) -> Iterator[Service]:
    part.only(ROLE)
    _check_programs(part, "Override")
    if not (values.NAME.fullmatch(experiment) and values.NAME.fullmatch(role)):
        part.tell("", "has an experiment or role whose name has other signs than letters, digits, dots and dashes.")
        return
    if "_" in experiment or "_" in role:
        part.tell("", "has an underscore in its experiment or role; HTCondor splits a service's name at the only one.")
    account = part.text("account")
    if not values.ACCOUNT.fullmatch(account):
        part.tell("account", "is not the name of an account." if account else "is missing.")
        return
    said = _Said(whole, part)
    named = {"Account": account, "Experiment": experiment, "Role": role}
    principal, keytab = said.principal(named), said.keytab(account)
    if principal and keytab:
        yield Service(
            name=f"{experiment}_{role}", experiment=experiment, role=role, account=account, principal=principal,
            keytab=keytab, nodes=_nodes(part), uid=part.number("desiredUIDOverride", 1, LARGEST_UID),
            vault_server=said.text("vaultServer"), credkey=principal.partition("@")[0],
            collector=",".join(said.list("condorCollectorHost")), constraint=said.text("condorScheddConstraint"),
            schedds=said.list("condorCreddHost"), min_lifetime=said.seconds("minTokenLifetime", 10),
            role_file=said.role_file(named), emails=emails, notify=not said.switch("disableNotifications"),
            stores=_stores(part),
        )  # fmt: skip


def _nodes(part: Part) -> tuple[str, ...]:
    nodes = part.list("destinationNodes", values.HOST, "the name of a host")
    if not nodes:
        part.tell("destinationNodes", "names no node, so its token is stored but pushed nowhere.")
    return nodes


class _Said:
    """What holds for one role: its own overrides before the global keys."""

    def __init__(self, whole: Part, part: Part) -> None:
        self._whole, self.part = whole, part

    def _where(self, key: str) -> tuple[Part, str]:
        override = f"{key}Override"
        return (self.part, override) if self.part.has(override) else (self._whole, key)

    def text(self, key: str) -> str:
        where, name = self._where(key)
        return where.text(name)

    def seconds(self, key: str, default: float) -> float:
        where, name = self._where(key)
        return where.seconds(name, default)

    def switch(self, key: str) -> bool:
        where, name = self._where(key)
        return where.switch(name, False)

    def list(self, key: str) -> tuple[str, ...]:
        where, name = self._where(key)
        return where.list(name, values.DAEMON, "the name of a daemon or host")

    def keytab(self, account: str) -> str:
        """The path of the keytab, "" when that cannot be told."""
        where, name = self._where("keytabPath")
        path = where.text(name)
        whole = path if where is self.part else f"{path.rstrip('/')}/{account}.keytab"
        if path and values.is_path(whole):
            return whole
        where.tell(name, "is not an absolute path." if path else "is missing, so no keytab can be found.")
        return ""

    def principal(self, named: Mapping[str, str]) -> str:
        """The Kerberos principal, "" when that cannot be told."""
        own = self.part.text("userPrincipalOverride")
        where, name = (self.part, "userPrincipalOverride") if own else self._where("kerberosPrincipalPattern")
        found = own or values.filled(where.text(name), {"Account": named["Account"]})
        if found and values.PRINCIPAL.fullmatch(found):
            return found
        where.tell(name, "does not make a Kerberos principal; {{.Account}} is what can be filled in.")
        return ""

    def role_file(self, named: Mapping[str, str]) -> str:
        """Where the default role goes, with `{{.DesiredUID}}` left in; "" when that cannot be told."""
        where, name = self._where("defaultRoleFileDestinationTemplate")
        template = where.text(name) or ROLE_FILE
        found = values.filled(template, {**named, "DesiredUID": values.UID})
        if found and values.is_path(values.role_file(found, 1)):
            return found
        where.tell(name, "does not make an absolute path; Account, Experiment, Role and DesiredUID can be filled in.")
        return ""
