"""Why a container does not get its image: the judgement, over facts that were read before. Pure."""

from __future__ import annotations

from enum import StrEnum

from bot.core.errors import Refused
from bot.core.registry import Image, Pull, image
from bot.core.value import Value
from handlers.ecr import DOCKER_CONFIG, Target
from handlers.image_pull_pods import Waiting
from handlers.image_pull_words import Cause

OLD_TYPE = "kubernetes.io/dockercfg"  # OpenShift gives each service account one, for the cluster's own registry


class Verdict(StrEnum):
    """What is wrong. In the order in which it is told where several things are."""

    SECRET_MISSING = "secret_missing"  # noqa: S105  a word for people
    WRONG_TYPE = "wrong_type"
    UNREADABLE = "unreadable"
    WRONG_HOST = "wrong_host"
    EXPIRED = "expired"
    LOGIN_REFUSED = "login_refused"
    POD_TOO_OLD = "pod_too_old"
    NOT_REFERENCED = "not_referenced"
    DENIED = "denied"
    NO_REPOSITORY = "no_repository"
    NO_TAG = "no_tag"
    INVALID_NAME = "invalid_name"
    WRONG_ARCHITECTURE = "wrong_architecture"
    SIGNATURE = "signature"
    NEVER_PULL = "never_pull"
    RATE_LIMITED = "rate_limited"
    DNS = "dns"
    TLS = "tls"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    UNCLEAR = "unclear"
    UNKNOWN = "unknown"  # the cluster could not be looked at
    TRIES_AGAIN = "tries_again"  # what failed has been mended since
    WELL = "well"


BY_CAUSE: dict[Cause, Verdict] = {
    "invalid_name": Verdict.INVALID_NAME,
    "never_pull": Verdict.NEVER_PULL,
    "signature": Verdict.SIGNATURE,
    "no_platform": Verdict.WRONG_ARCHITECTURE,
    "no_repository": Verdict.NO_REPOSITORY,
    "no_tag": Verdict.NO_TAG,
    "rate_limited": Verdict.RATE_LIMITED,
    "dns": Verdict.DNS,
    "tls": Verdict.TLS,
    "timeout": Verdict.TIMEOUT,
    "unreachable": Verdict.UNREACHABLE,
}
FIRM = ("invalid_name", "never_pull", "signature", "no_platform")  # what no registry can contradict
NETWORK = ("dns", "tls", "timeout", "unreachable")  # the bot has another way to the registry than the node
LOGIN = ("expired", "denied", "unauthorized", "forbidden")
REFUSALS = ("expired", "denied", "unauthorized")  # of a registry that is asked with the pods' own login
ANSWERS = ("no_repository", "no_tag", "rate_limited")  # of a registry that mean the same wherever one asks


class Given(Value):
    """One pull secret as it is now. `fits`: there is a login for the image in it. `ends`: seconds since the epoch, by
    our annotation; None where nobody wrote it down. `unread`: why it could not be read."""

    name: str
    there: bool = True
    type: str = DOCKER_CONFIG
    fits: bool = False
    hosts: tuple[str, ...] = ()
    trouble: str = ""
    ends: float | None = None
    unread: str = ""

    @property
    def misplaced(self) -> bool:
        return self.there and not self.unread and self.type not in (DOCKER_CONFIG, OLD_TYPE)


class Facts(Value):
    """All that is known of one container that waits (or of several alike). `given`: the pull secrets its pods were
    given; `account_has`: those its service account has now; `others`: those of the settings for this namespace.
    `answer`: what the registry says to the pods' login, None if it was not asked; `architectures`: of the nodes."""

    cluster: str
    namespace: str
    waiting: Waiting
    now: float
    given: tuple[Given, ...] = ()
    account_has: tuple[Given, ...] = ()
    others: tuple[Given, ...] = ()
    targets: tuple[Target, ...] = ()
    answer: Pull | None = None
    architectures: tuple[str, ...] = ()

    @property
    def image(self) -> Image | None:
        return named(self.waiting.image)

    @property
    def outcome(self) -> str:
        return self.answer.outcome if self.answer else ""

    @property
    def target(self) -> Target | None:
        """The settings' pull secret that is for this image."""
        host = self.image.host if self.image else ""
        return next((one for one in self.targets if one.registry == host), None)


class Finding(Value):
    """A verdict on some containers, and which pull secret it is about ("" where it is about none)."""

    verdict: Verdict
    facts: Facts
    secret: str = ""


def named(text: str) -> Image | None:
    try:
        return image(text)
    except Refused:
        return None


def judge(facts: Facts) -> Finding:
    """What is wrong. What the registry says now goes before what a node was told then, where both can know."""
    cause, outcome = facts.waiting.said.cause, facts.outcome
    if facts.image is None and facts.waiting.image:
        cause = "invalid_name"
    if cause in (*FIRM, *NETWORK):
        return Finding(verdict=BY_CAUSE[cause], facts=facts)
    if outcome == "ok":
        return _given_out(facts)
    if outcome in ANSWERS or (cause in BY_CAUSE and outcome not in REFUSALS):
        return Finding(verdict=Verdict(outcome) if outcome in ANSWERS else BY_CAUSE[cause], facts=facts)
    return _login(facts) if cause in LOGIN or outcome in REFUSALS else _without_words(facts)


def _given_out(facts: Facts) -> Finding:
    """The registry gives the image to the login that is there now."""
    platforms = {each.split("/")[1] for each in facts.answer.platforms if "/" in each} if facts.answer else set()
    if platforms and facts.architectures and not platforms & set(facts.architectures):
        return Finding(verdict=Verdict.WRONG_ARCHITECTURE, facts=facts)
    unknown = facts.waiting.said.cause == "unknown"
    return Finding(verdict=Verdict.UNCLEAR if unknown else Verdict.TRIES_AGAIN, facts=facts, secret=_fitting(facts))


def _login(facts: Facts) -> Finding:
    """The login is what fails: there is none, it cannot be used, it has ended, or it may not."""
    fitting = tuple(one for one in facts.given if one.fits)
    if not fitting and (facts.given or facts.waiting.said.cause != "denied"):
        return _no_login(facts)
    if not fitting:  # the node has a login of its own
        return Finding(verdict=Verdict.DENIED, facts=facts)
    return Finding(verdict=_of_login(facts, fitting), facts=facts, secret=fitting[0].name)


def _of_login(facts: Facts, fitting: tuple[Given, ...]) -> Verdict:
    cause, outcome = facts.waiting.said.cause, facts.outcome
    over = all(one.ends is not None and one.ends <= facts.now for one in fitting)
    if outcome in ("denied", "expired"):
        return Verdict(outcome)
    if over or cause == "expired":
        return Verdict.EXPIRED
    if outcome == "unauthorized":
        return Verdict.LOGIN_REFUSED
    return Verdict.DENIED if cause in ("denied", "forbidden") else Verdict.LOGIN_REFUSED


def _no_login(facts: Facts) -> Finding:
    """None of the pull secrets that the pods were given has a login for the image."""
    given = tuple(one for one in facts.given if one.type != OLD_TYPE)
    for wrong, verdict in (
        ([one for one in given if one.misplaced], Verdict.WRONG_TYPE),
        ([one for one in given if one.trouble], Verdict.UNREADABLE),
        ([one for one in given if not one.there], Verdict.SECRET_MISSING),
        ([one for one in given if one.unread], by_words(facts.waiting.said.cause, facts.outcome)),
    ):
        if wrong:
            return Finding(verdict=verdict, facts=facts, secret=wrong[0].name)
    if len(given) < len(facts.given) and facts.target is None:  # an image of the cluster's own registry
        return Finding(verdict=by_words(facts.waiting.said.cause), facts=facts)
    return _elsewhere(facts, given)


def _elsewhere(facts: Facts, given: tuple[Given, ...]) -> Finding:
    """Is the login in another secret, which the pods were not given?"""
    names = {one.name for one in given}
    late = next((one for one in facts.account_has if one.fits and one.name not in names), None)
    if late and not given:
        return Finding(verdict=Verdict.POD_TOO_OLD, facts=facts, secret=late.name)
    other = next((one for one in (*facts.account_has, *facts.others) if one.fits and one.name not in names), None)
    if other:
        return Finding(verdict=Verdict.NOT_REFERENCED, facts=facts, secret=other.name)
    if given:
        return Finding(verdict=Verdict.WRONG_HOST, facts=facts, secret=given[0].name)
    return _nowhere(facts)


def _nowhere(facts: Facts) -> Finding:
    """The pods have no pull secret at all, and none that is known would do."""
    wanted = facts.target.secret if facts.target else ""
    found = next((one for one in facts.others if one.name == wanted), None)
    if found is None:
        return Finding(verdict=Verdict.NOT_REFERENCED, facts=facts)
    if found.misplaced or found.trouble:
        return Finding(
            verdict=Verdict.WRONG_TYPE if found.misplaced else Verdict.UNREADABLE, facts=facts, secret=wanted
        )
    return Finding(verdict=Verdict.WRONG_HOST if found.there else Verdict.SECRET_MISSING, facts=facts, secret=wanted)


def by_words(cause: Cause, outcome: str = "") -> Verdict:
    """What the words alone say, where no secret could be read."""
    told: dict[str, Verdict] = {"expired": Verdict.EXPIRED, "denied": Verdict.DENIED}
    if cause in BY_CAUSE:
        return BY_CAUSE[cause]
    return told.get(outcome) or told.get(cause) or (Verdict.LOGIN_REFUSED if cause in LOGIN else Verdict.UNCLEAR)


def _without_words(facts: Facts) -> Finding:
    """Nobody says why. A secret that cannot be used is reason enough; but a node may have another login."""
    if facts.waiting.said.cause == "unknown" or any(one.fits for one in facts.given):
        over = [one for one in facts.given if one.fits and one.ends is not None and one.ends <= facts.now]
        if over and not facts.waiting.said.cause:
            return Finding(verdict=Verdict.EXPIRED, facts=facts, secret=over[0].name)
        return Finding(verdict=Verdict.UNCLEAR, facts=facts)
    found = _no_login(facts) if facts.given or facts.target else None
    return found or Finding(verdict=Verdict.UNCLEAR, facts=facts)


def _fitting(facts: Facts) -> str:
    return next((one.name for one in facts.given if one.fits), "")
