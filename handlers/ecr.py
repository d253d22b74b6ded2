"""ECR pull secrets: which there are to look after (settings), and what their annotations are called (seed 004)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from bot.core import registry
from bot.core.errors import Refused
from bot.core.handler import HandlerSettings
from bot.core.value import Value

COMMAND = "refresh-ecr"
ALL = "all"
DOCKER_CONFIG = "kubernetes.io/dockerconfigjson"  # type of the Secret
DOCUMENT = ".dockerconfigjson"  # the one key in it
WRITTEN, EXPIRES, REGISTRY, RUN = (f"hivekeeper/{word}" for word in ("written-at", "expires-at", "registry", "run"))
MANAGED, OURS = "app.kubernetes.io/managed-by", "hivekeeper"
HOUR = 3600.0
ECR_HOST = re.compile(r"\d{12}\.dkr\.ecr(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?)", re.ASCII)
REGION = r"^[a-z]{2,3}(-[a-z]+)+-[0-9]{1,2}$"

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", max_length=200)]
Label = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=63)]
EnvironmentName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=60)]


class Environment(Value):
    """Where one environment's workloads run, and which registry they pull from. The defaults are the seed's."""

    cluster: str = Field(description="Its name under `clusters`; the bot must be able to log in there.")
    namespaces: tuple[Label, ...] = Field(min_length=1, description="Namespaces that get the secret.")
    registry: str = Field(description="Host of the registry: <account>.dkr.ecr.<region>.amazonaws.com.")
    region: str = Field(default="us-east-1", pattern=REGION, description="Region that the token is asked for in.")
    secret_name: Name = Field(
        default="ecr-secret", max_length=70, description="Name of the Secret, the same in every namespace."
    )
    aws: str = Field(default="default", description="Its name under `aws`: how to log in there.")
    restart: bool = Field(default=False, description="Restart the Deployments that use the secret; default: no.")
    token_validity_hours: float = Field(default=12, gt=0, le=12, description="Hours that a token is good for.")
    image: str = Field(
        default="", description="An image there, without the host, whose manifest proves that a token may pull."
    )
    service_accounts: tuple[Name, ...] = Field(
        default=(), description="Service accounts that get the secret into their imagePullSecrets; default: none."
    )
    renew_before_hours: float = Field(default=6, gt=0, description="Hours before its end from which a token is due.")
    rollout_deadline_minutes: float = Field(default=10, gt=0, le=24 * 60, description="Minutes a restart may take.")

    @field_validator("registry")
    @classmethod
    def _host(cls, host: str) -> str:
        if registry.HOST.fullmatch(host) is None:
            raise ValueError("is not the host of a registry; write it without https:// and without a path")
        return host

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.image:
            try:
                registry.image(f"{self.registry}/{self.image}")
            except Refused:
                raise ValueError("image is not repository:tag") from None
        if self.renew_before_hours >= self.token_validity_hours:
            raise ValueError("renew_before_hours must be less than token_validity_hours")
        return self


class Target(Value):
    """One pull secret in one namespace, with all that the settings and the command say about it."""

    env: str
    cluster: str
    namespace: str
    registry: str
    region: str
    secret: str
    access: str  # name under `aws`
    restart: bool
    validity: float  # seconds
    image: str
    service_accounts: tuple[str, ...]
    renew_before: float  # seconds
    deadline: float  # seconds

    @property
    def name(self) -> str:
        """As people call it."""
        return f"{self.env}/{self.namespace}"

    @property
    def place(self) -> tuple[str, str, str]:
        """Cluster, namespace and secret: no other target has the same."""
        return self.cluster, self.namespace, self.secret

    @property
    def credential(self) -> str:
        """As the inventory calls it."""
        return f"{self.name}/{self.secret}"


class Settings(HandlerSettings):
    """The pull secrets that are looked after."""

    environments: dict[EnvironmentName, Environment] = Field(
        default_factory=dict, description="Environment, as people type it -> where it is and what it pulls from."
    )

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        lower = [name.lower() for name in self.environments]
        if ALL in lower:
            raise ValueError(f"environments: none may be called {ALL}, which stands for all of them")
        if len(set(lower)) != len(lower):
            raise ValueError("environments: two names differ in nothing but case")
        places = [(one.cluster, one.namespace, one.secret) for one in self.targets()]
        if len(set(places)) != len(places):
            raise ValueError("environments: two of them write the same secret")
        return self

    def targets(self) -> tuple[Target, ...]:
        """Every pull secret, in the order of the settings."""
        return tuple(_target(name, env, one) for name, env in self.environments.items() for one in env.namespaces)


def _target(name: str, env: Environment, namespace: str) -> Target:
    return Target(
        env=name,
        cluster=env.cluster,
        namespace=namespace,
        registry=env.registry,
        region=env.region,
        secret=env.secret_name,
        access=env.aws,
        restart=env.restart,
        validity=env.token_validity_hours * HOUR,
        image=env.image,
        service_accounts=env.service_accounts,
        renew_before=env.renew_before_hours * HOUR,
        deadline=env.rollout_deadline_minutes * 60,
    )


def choose(settings: Settings, envs: tuple[str, ...], namespaces: tuple[str, ...]) -> tuple[Target, ...]:
    """The targets of these environments (none or "all": of every one) and namespaces (none: all). Refused, with what
    there is, for a name that the settings do not know."""
    if not settings.environments:
        now = f"Name your environments under commands.{COMMAND}.settings.environments."
        raise Refused("The settings know no environment with pull secrets.", now)
    wanted = {env.lower() for env in envs} - {ALL}
    known = {env.lower() for env in settings.environments}
    if unknown := sorted(wanted - known):
        raise Refused(f"The settings know no environment {_listed(unknown)}.", f"There are: {_some(settings)}.")
    in_env = [
        one for one in settings.targets() if ALL in map(str.lower, envs) or not wanted or one.env.lower() in wanted
    ]
    there = sorted({one.namespace for one in in_env})
    if strange := sorted({one.lower() for one in namespaces} - set(there)):
        raise Refused(f"No such namespace in the settings: {_listed(strange)}.", f"There are: {_listed(there)}.")
    chosen = {one.lower() for one in namespaces} or set(there)
    return tuple(one for one in in_env if one.namespace in chosen)


def wanted(settings: Settings, ask: Mapping[str, Any]) -> tuple[Target, ...]:
    """The targets that these parameters of the command mean, with what was typed in place of what the settings say."""
    chosen = choose(settings, tuple(ask["env"]), tuple(ask["namespace"]))
    host, region, restart = ask["registry"], ask["region"], ask["restart"]
    return tuple(overridden(one, settings, host=host, region=region, restart=restart) for one in chosen)


def overridden(target: Target, settings: Settings, *, host: str, region: str, restart: bool | None) -> Target:
    """With what was typed in place of what the settings say. A token is sent to the registry that it is for, so only
    hosts of ECR, or of the settings, are taken."""
    known = {env.registry for env in settings.environments.values()}
    found = ECR_HOST.fullmatch(host)
    if host and host not in known and found is None:
        raise Refused(
            "That registry is neither one of Amazon ECR nor one of the settings.",
            "Write it as 123456789012.dkr.ecr.us-west-2.amazonaws.com.",
        )
    where = region or (found[1] if found and host != target.registry else target.region)
    asked = {"registry": host or target.registry, "region": where}
    return target.model_copy(update=asked if restart is None else {**asked, "restart": restart})


def _some(settings: Settings) -> str:
    return _listed([*settings.environments, ALL])


def _listed(names: list[str], most: int = 12) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
