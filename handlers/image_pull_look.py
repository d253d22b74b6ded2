"""What is read for a diagnosis of image pulls: pods that wait, their events, their pull secrets, and the registry."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from bot.core.errors import Refused, Told
from bot.core.kubernetes import EVENT, NODE, POD, SERVICE_ACCOUNT, Json, Kind, SecretObject
from bot.core.plan import Note
from bot.core.ports import ReadTools
from bot.core.registry import Image, Login, Pull
from bot.core.side_by_side import each
from bot.core.value import Value
from handlers.ecr import DOCKER_CONFIG, DOCUMENT, ECR_HOST, EXPIRES, REGISTRY, Target
from handlers.ecr_look import moment, same_host
from handlers.ecr_users import name, secrets_of
from handlers.image_pull_pods import Waiting, mapping, of_workload, waiting, waits
from handlers.image_pull_verdict import OLD_TYPE, Facts, Finding, Given, judge, named

OF_ACCOUNT = r"-dockercfg-[a-z0-9]{5}"  # OpenShift gives each service account one, for the cluster's own registry
MOST = 30  # groups of alike containers that are looked into in one namespace
WARNINGS = "type=Warning,involvedObject.kind=Pod"


class Place(Value):
    """A namespace to look at. `targets`: the pull secrets of the settings there; `workload`: only this one, or pod."""

    cluster: str
    namespace: str
    targets: tuple[Target, ...] = ()
    workload: str = ""

    def __str__(self) -> str:
        return f"{self.namespace} of cluster {self.cluster}"


class Seen(Value):
    """What was found in a namespace. `pods`: how many there are of those that were asked for; `left_out`: groups that
    were not looked into; `unchecked`: what could not be read, and how to do it by hand."""

    place: Place
    pods: int = 0
    findings: tuple[Finding, ...] = ()
    left_out: int = 0
    unchecked: tuple[Note, ...] = ()
    trouble: str = ""  # the namespace could not be looked at at all


@dataclass(frozen=True)
class Secrets:
    """The pull secrets of one namespace, each read once. Never stored: it holds logins."""

    place: Place
    tools: ReadTools
    read: dict[str, SecretObject | Told | None] = field(default_factory=dict)

    def get(self, secret: str) -> SecretObject | Told | None:
        if secret not in self.read:
            self.read[secret] = self._read(secret)
        return self.read[secret]

    def _read(self, secret: str) -> SecretObject | Told | None:
        try:
            return self.tools.kubernetes.secret(self.place.cluster, self.place.namespace, secret)
        except Told as error:
            return error

    def given(self, secret: str, wanted: Image | None, one: Waiting) -> Given:
        """What is in one, as far as it matters for this image; without its credentials."""
        if re.fullmatch(re.escape(one.account) + OF_ACCOUNT, secret):
            return Given(name=secret, type=OLD_TYPE)
        found = self.get(secret)
        if isinstance(found, Told) and secret in one.lost:
            return Given(name=secret, there=False, type="")
        if isinstance(found, Told):
            return Given(name=secret, unread=str(found))
        if found is None:
            return Given(name=secret, there=False, type="")
        if found.type != DOCKER_CONFIG:
            return Given(name=secret, type=found.type)
        hosts, login, trouble = self._content(found, wanted)
        ours = wanted is not None and same_host(found.annotations.get(REGISTRY, ""), wanted.host)
        ends = moment(found.annotations.get(EXPIRES, "")) if ours else None
        return Given(name=secret, fits=login is not None, hosts=hosts, trouble=trouble, ends=ends)

    def login(self, secret: str, wanted: Image) -> Login | None:
        found = self.get(secret)
        fits = isinstance(found, SecretObject) and found.type == DOCKER_CONFIG
        return self._content(found, wanted)[1] if fits and isinstance(found, SecretObject) else None

    def _content(self, found: SecretObject, wanted: Image | None) -> tuple[tuple[str, ...], Login | None, str]:
        """The registries in it, the login for the image, and what is wrong with the document or with that login."""
        document, configs = found.data.get(DOCUMENT), self.tools.docker_configs
        if document is None:
            return (), None, f"It has no key {DOCUMENT}."
        hosts: tuple[str, ...] = ()
        try:
            hosts = tuple(one.host for one in configs.entries(document))
            login = configs.login(document, f"{wanted.host}/{wanted.repository}") if wanted else None
        except Refused as refusal:
            return hosts, None, refusal.what
        return hosts, login, ""


def look(places: tuple[Place, ...], tools: ReadTools) -> tuple[Seen, ...]:
    """Look at each namespace, side by side. What cannot be read is told in its place, and raises nothing."""
    seen = each(lambda place: _place(place, tools), places)
    return tuple(
        Seen(place=place, trouble=str(one)) if isinstance(one, Told) else one
        for place, one in zip(places, seen, strict=True)
    )


def judge_pod(place: Place, pod: Json, tools: ReadTools) -> tuple[Finding, ...]:
    """Why this pod does not get its images; nothing if none of its containers waits for one."""
    return _of_pods(place, [pod], tools).findings if waits(pod) else ()


def _place(place: Place, tools: ReadTools) -> Seen:
    pods = tools.kubernetes.all(place.cluster, POD, place.namespace)
    wanted = [pod for pod in pods if not place.workload or of_workload(pod, place.workload)]
    return _of_pods(place, wanted, tools)


def _of_pods(place: Place, pods: list[Json], tools: ReadTools) -> Seen:
    stuck = [pod for pod in pods if waits(pod)]
    if not stuck:
        return Seen(place=place, pods=len(pods))
    unchecked: list[Note] = []
    events = _all(place, EVENT, tools, unchecked, fields=WARNINGS)
    accounts = _all(place, SERVICE_ACCOUNT, tools, unchecked)
    groups = waiting(stuck, events)
    secrets, said = Secrets(place, tools), Answers(tools, place.targets)
    facts = tuple(_facts(one, secrets, said, accounts) for one in groups[:MOST])
    if any(one.waiting.said.cause == "no_platform" or (one.answer and one.answer.platforms) for one in facts):
        made_for = _architectures(_all(place, NODE, tools, unchecked))
        facts = tuple(one.model_copy(update={"architectures": made_for}) for one in facts)
    unread = {given.name: given.unread for one in facts for given in (*one.given, *one.others) if given.unread}
    unchecked += [Note(label=f"Pull secret {secret}"[:100], text=why) for secret, why in unread.items()]
    return Seen(
        place=place,
        pods=len(pods),
        findings=tuple(judge(one) for one in facts),
        left_out=max(0, len(groups) - MOST),
        unchecked=(*unchecked, *said.unasked()),
    )


def _all(place: Place, kind: Kind, tools: ReadTools, unchecked: list[Note], fields: str = "") -> tuple[Json, ...]:
    """What the bot may not see is told, and keeps nobody from looking at the rest."""
    within = place.namespace if kind.namespaced else ""
    try:
        return tools.kubernetes.all(place.cluster, kind, within, fields=fields)
    except Told as error:
        unchecked.append(Note(label=f"{kind.kind}s", text=str(error)))
        return ()


@dataclass(frozen=True)
class Answers:
    """What registries say, each question asked once. Only registries of the settings, and Amazon's: a pod may name any
    host, and the bot goes nowhere because of that."""

    tools: ReadTools
    targets: tuple[Target, ...]
    said: dict[tuple[str, str], Pull | None] = field(default_factory=dict)
    strange: dict[str, None] = field(default_factory=dict)

    def of(self, wanted: Image | None, given: tuple[Given, ...], secrets: Secrets) -> Pull | None:
        """For the pods' own logins, in the order in which a node tries them: the first that works, else the last."""
        fitting = [one.name for one in given if one.fits]
        if wanted is None or not fitting:
            return None
        if not self._known(wanted.host):
            self.strange[wanted.host] = None
            return None
        answer = None
        for secret in fitting:
            answer = self._ask(wanted, secret, secrets)
            if answer and answer.outcome == "ok":
                break
        return answer

    def unasked(self) -> tuple[Note, ...]:
        now = "The settings do not name it, so the bot did not ask it. By hand: podman pull, with the pods' login."
        return tuple(Note(label=f"Registry {host}"[:100], text=now) for host in self.strange)

    def _known(self, host: str) -> bool:
        return host in {one.registry for one in self.targets} or ECR_HOST.fullmatch(host) is not None

    def _ask(self, wanted: Image, secret: str, secrets: Secrets) -> Pull | None:
        question = (str(wanted), secret)
        if question not in self.said:
            login = secrets.login(secret, wanted)
            self.said[question] = self.tools.registries.pull(wanted, login) if login else None
        return self.said[question]


def _facts(one: Waiting, secrets: Secrets, said: Answers, accounts: tuple[Json, ...]) -> Facts:
    wanted, place = named(one.image), secrets.place
    given = tuple(secrets.given(secret, wanted, one) for secret in one.secrets)
    account = next((each for each in accounts if name(each) == one.account), {})
    fitting = [each for each in place.targets if wanted is None or each.registry == wanted.host]
    others = dict.fromkeys(each.secret for each in fitting)
    return Facts(
        cluster=place.cluster,
        namespace=place.namespace,
        waiting=one,
        now=secrets.tools.now(),
        given=given,
        account_has=tuple(secrets.given(secret, wanted, one) for secret in secrets_of(account)),
        others=tuple(secrets.given(secret, wanted, one) for secret in others),
        targets=place.targets,
        answer=said.of(wanted, given, secrets),
    )


def _architectures(nodes: tuple[Json, ...]) -> tuple[str, ...]:
    told = (mapping(mapping(node.get("status")).get("nodeInfo")).get("architecture") for node in nodes)
    return tuple(sorted({str(one)[:20] for one in told if one}))
