"""Managed tokens: what handlers see of services, Vault tokens, credds, nodes and FERRY (seed 003, upstream.md).

A token never passes through a handler or a step: these ports keep it, in memory where they can, and are asked to bring
it somewhere. All calls block, each with a timeout of its own, and raise only the errors of `bot.core.errors`.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from math import isinf
from typing import Literal, Protocol

from bot.core.errors import Refused
from bot.core.value import Value


class Service(Value):
    """One experiment in one role, after all overrides of the managedTokens file have been applied. Times in seconds."""

    name: str  # "<experiment>_<role>"; "<entry>_<role>" of a further entry with an `experimentOverride`: there is one
    experiment: str
    role: str
    account: str  # the UNIX account on the nodes
    principal: str  # Kerberos
    keytab: str  # its path; never its content
    nodes: tuple[str, ...] = ()
    uid: int | None = None  # desiredUIDOverride
    vault_server: str = ""
    credkey: str = ""
    collector: str = ""
    constraint: str = ""
    schedds: tuple[str, ...] = ()  # condorCreddHostOverride; empty: the collector is asked
    min_lifetime: float = 10
    role_file: str = ""  # where the default role goes on a node, the template filled in but for the UID; "" for none
    emails: tuple[str, ...] = ()
    notify: bool = True
    stores: bool = True  # into HTCondor, too; tokenGetterOverride

    @property
    def entry(self) -> str:
        """What the file calls the experiment."""
        return self.name.removesuffix(f"_{self.role}")

    @property
    def token_name(self) -> str:
        """What HTCondor and jobs call its token; other entries of the same experiment may share it."""
        return f"{self.experiment}_{self.role}"


class Inventory(Value):
    """What the managedTokens file says. `unclear`: what in it was not understood, each a sentence with its place.
    `elsewhere`: its keys that the bot knows and does not follow, as its own settings have that."""

    services: tuple[Service, ...]
    unclear: tuple[str, ...] = ()
    admin_emails: tuple[str, ...] = ()
    errors_before_mail: int = 3
    elsewhere: tuple[str, ...] = ()


class Services(Protocol):
    def configured(self) -> bool: ...

    def read(self) -> Inventory:
        """The file of the settings, read anew when it has changed. Refused when it cannot be read."""
        ...


class NoServices:
    """Stands in for a managedTokens file that the settings do not name."""

    def configured(self) -> bool:
        return False

    def read(self) -> Inventory:
        raise Refused("The managedTokens file is not configured.", "Set managed_tokens in the settings.")


class Held(Value):
    """A Vault token that the bot holds for a service. `fingerprint` is keyed; `from_` says how it was had."""

    service: str
    expires_at: float
    fingerprint: str
    how: Literal["login", "kept"]


class VaultTokensReader(Protocol):
    def held(self, service: Service) -> Held | None:
        """What this process holds, if it is good for the service's `min_lifetime` still. Asks nobody."""
        ...

    def source(self, service: Service) -> str:
        """Where its tokens come from: the address of Vault, then the paths there. Asks nobody; "" when neither the
        settings nor the file say."""
        ...


class VaultTokens(VaultTokensReader, Protocol):
    def obtain(self, service: Service) -> Held:
        """A Vault token for this service: the one it holds while that is fresh, else by Kerberos. Refused, with the
        words "needs somebody to sign in" and the service's name, when Vault has no refresh token for it any more."""
        ...

    def forget(self, service: Service) -> None:
        """Drop what is held, and every local trace of it."""
        ...


class Credds(Protocol):
    def configured(self) -> bool: ...

    def schedds(self, service: Service) -> tuple[str, ...]:
        """Those of the service, or what the collector lists."""
        ...


class CreddsWriter(Credds, Protocol):
    def store(self, service: Service, schedd: str) -> None:
        """Put the service's token (obtained before) into this schedd's credd."""
        ...


class Placed(Value):
    """A token file as it lies on a node: keyed fingerprint of its content, mode, owner. Never the content."""

    path: str
    fingerprint: str
    size: int
    mode: int
    owner: int
    written_at: float


class NodesReader(Protocol):
    def there(self, node: str) -> str:
        """Where it is really reached and where files go: host:port/directory. Asks nobody."""
        ...

    def reachable(self, node: str) -> bool:
        """Does it answer a ping (or, where that is not allowed, its SSH port)? A guess, never a reason not to try."""
        ...

    def placed(self, service: Service, node: str, uid: int) -> tuple[Placed, ...]:
        """The service's token files there, of the two that should be; none that are missing."""
        ...


class Nodes(NodesReader, Protocol):
    def push(self, service: Service, node: str, uid: int) -> tuple[Placed, ...]:
        """Bring the service's token (obtained before) to both of its places on the node, and the default-role file:
        written beside under another name with mode 0400 before content, read back, renamed. Refused when something
        foreign lies in the way (another owner, a link, a folder); what was there before then stays as it was."""
        ...


class Account(Value):
    """What FERRY says of an account."""

    name: str
    uid: int | None
    active: bool
    banned: bool = False
    expires_on: str = ""


class Ferry(Protocol):
    def configured(self) -> bool: ...

    def account(self, name: str) -> Account | None:
        """None when FERRY does not know the name. Refused when it does not let us ask."""
        ...


class Mail(Protocol):
    def configured(self) -> bool: ...

    def send(self, to: tuple[str, ...], subject: str, body: str, *, key: str) -> None:
        """One message; the same `key` again within this process is not sent twice, and makes the same Message-ID."""
        ...


class Took(Value):
    """How long one kind of work took, for one service ("" for all), since the process began. `within`: seconds, and how
    often it took at most as long, the last one without bound; `seconds`: all of it together."""

    what: str
    service: str
    within: tuple[tuple[float, int], ...]
    seconds: float
    failed: int


class Meter(Protocol):
    def timing(self, what: str, service: str = "") -> AbstractContextManager[None]:
        """Count how long the block takes, and whether it fails in our words."""
        ...

    def took(self) -> tuple[Took, ...]: ...


class NoMeter:
    """Where nobody wants to know."""

    def timing(self, what: str, service: str = "") -> AbstractContextManager[None]:  # noqa: ARG002  as a Meter's
        return nullcontext()

    def took(self) -> tuple[Took, ...]:
        return ()


class Figure(Value):
    """One value of one series, as Prometheus has it: a gauge, or a histogram if it has `within` (upper bounds and how
    many were not above; the last one infinite), of which `value` is the sum."""

    name: str
    help: str
    value: float
    labels: dict[str, str]
    within: tuple[tuple[float, int], ...] = ()

    @property
    def samples(self) -> tuple[tuple[str, dict[str, str], float], ...]:
        """What stands behind the name, all labels, and the value: of a histogram, of each of its series."""
        if not self.within:
            return (("", self.labels, self.value),)
        bounds = tuple(
            ("_bucket", {**self.labels, "le": "+Inf" if isinf(bound) else f"{bound}"}, float(number))
            for bound, number in self.within
        )
        return (*bounds, ("_count", self.labels, float(self.within[-1][1])), ("_sum", self.labels, self.value))


class Pushgateway(Protocol):
    def configured(self) -> bool: ...

    def push(self, figures: tuple[Figure, ...], grouping: Mapping[str, str]) -> None:
        """Put these figures in the place of all that were pushed before with the same grouping; those of other
        groupings stay. `grouping`: labels besides the job, such as {"executable": "push-tokens"}."""
        ...
