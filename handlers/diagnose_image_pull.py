"""/diagnose-image-pull, and alerts about pods that cannot pull (runbook beside this file). Changes nothing."""

from __future__ import annotations

import re
from typing import Any

from pydantic import Field, field_validator

from bot.core.alert import Alert, Matcher
from bot.core.diagnosis import AlertHandler, Diagnosis, Subject, Watching
from bot.core.errors import Refused
from bot.core.handler import Ask, ClusterNeed, Handler
from bot.core.kubernetes import Access
from bot.core.plan import Answer, Note
from bot.core.ports import ReadTools
from handlers.ecr import ALL, Settings, Target
from handlers.ecr_told import listed
from handlers.image_pull_diagnosis import RUNBOOK, STEPS, tell
from handlers.image_pull_look import Place, look
from handlers.image_pull_posted import posted
from handlers.image_pull_words import image_in, speaks_of_pulls

COMMAND = RUNBOOK
KIND = re.compile(r"\A(?:deployments?(?:\.apps)?|deploy|pods?|po)/", re.ASCII | re.IGNORECASE)
LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
WAITING = r"ErrImagePull|ImagePullBackOff|InvalidImageName|ErrImageNeverPull|RegistryUnavailable"
__all__ = ["ALERT_HANDLER", "HANDLER", "STEPS"]


class DiagnoseImagePull(Ask):
    """What a person types after /diagnose-image-pull."""

    where: str = Field(
        default="",
        max_length=200,
        pattern=r"^[A-Za-z0-9._/-]*$",
        description="An environment or a namespace of the settings, or cluster/namespace; else all of them.",
        json_schema_extra={"positional": True},
    )
    what: str = Field(
        default="",
        max_length=253,
        pattern=r"^[A-Za-z0-9.-]*$",
        description="Just this pod, or the pods of this Deployment.",
        json_schema_extra={"positional": True},
    )

    @field_validator("what", mode="before")
    @classmethod
    def _bare(cls, what: Any) -> Any:
        """People write deployment/name and pod/name, as for kubectl."""
        return KIND.sub("", what) if isinstance(what, str) else what


def plan(ask: DiagnoseImagePull, settings: Settings, tools: ReadTools) -> Answer:
    """Which pods wait for an image, and why."""
    places = tuple(one.model_copy(update={"workload": ask.what}) for one in places_of(ask.where, settings, tools))
    seen = look(places, tools)
    if ask.what and not any(one.pods or one.trouble for one in seen):
        where = listed(tuple(str(one) for one in places))
        raise Refused(f"There is no pod of {ask.what} in {where}.", "Give the name of a pod or of a Deployment there.")
    return answer(tell(seen, tools))


def answer(found: Diagnosis) -> Answer:
    """A diagnosis as the answer to a command."""
    return Answer(
        command=COMMAND,
        title=found.title,
        text=(f"Verdict: {found.verdict}.", *found.reason),
        table=found.table,
        notes=found.evidence,
        warnings=tuple(f"{note.label}: {note.text}" for note in found.unchecked),
        checklist=found.steps,
        offers=found.offers,
        quiet=found.over,
    )


def places_of(where: str, settings: Settings, tools: ReadTools) -> tuple[Place, ...]:
    """The namespaces meant by an environment, a namespace, environment/namespace or cluster/namespace. Refused, with
    what there is, for a name that is none of these."""
    name = where.lower()
    by_env, by_rest = [], []
    for one in settings.targets():
        by_env += [one] if name in ("", ALL, one.env.lower()) else []
        by_rest += [one] if name in (one.namespace, one.name.lower()) else []
    if by_env or by_rest:
        return grouped(by_env or by_rest)
    cluster, _, namespace = where.partition("/")
    if cluster in tools.kubernetes.clusters() and LABEL.fullmatch(namespace):
        return (place(cluster, namespace, settings),)
    there = dict.fromkeys(name for one in settings.targets() for name in (one.env, one.namespace))
    raise Refused(
        f"The settings know no environment and no namespace {where}." if where else "The settings know no namespace.",
        f"There are: {listed(tuple(there), 12) or 'none'}. Any other is written as cluster/namespace.",
    )


def grouped(targets: list[Target]) -> tuple[Place, ...]:
    """Each namespace once, with all its pull secrets."""
    found: dict[tuple[str, str], list[Target]] = {}
    for one in targets:
        found.setdefault((one.cluster, one.namespace), []).append(one)
    return tuple(Place(cluster=at[0], namespace=at[1], targets=tuple(each)) for at, each in found.items())


def place(cluster: str, namespace: str, settings: Settings) -> Place:
    known = tuple(one for one in settings.targets() if (one.cluster, one.namespace) == (cluster, namespace))
    return Place(cluster=cluster, namespace=namespace, targets=known)


def diagnose(subject: Subject, settings: Settings, tools: ReadTools) -> Diagnosis:
    """Of an alert: its namespace. Of a posted text: the namespaces that it names, else its words alone."""
    keys = dict.fromkeys(filter(None, [subject.key, *map(key_of, subject.alerts)]))
    if not keys:
        places = _in_text(subject.text, settings)
        return tell(look(places, tools), tools) if places else posted(subject.text, tools)
    found = [_of_key(key, settings, tools) for key in list(keys)[:10]]
    places = tuple(dict.fromkeys(one for places, _ in found for one in places))
    return tell(look(places, tools), tools, elsewhere=tuple(note for _, notes in found for note in notes))


def _of_key(key: str, settings: Settings, tools: ReadTools) -> tuple[tuple[Place, ...], tuple[Note, ...]]:
    """Where an alert points. A cluster that the bot does not know by this name is said to be unknown, and what the
    settings have of this namespace is looked at all the same."""
    cluster, _, namespace = key.rpartition("/")
    known = tools.kubernetes.clusters()
    if not LABEL.fullmatch(namespace):
        return (), (Note(label="Namespace", text="The alert names none. By hand: oc get pods -A"),)
    if cluster in known:
        return (place(cluster, namespace, settings),), ()
    places = grouped([one for one in settings.targets() if one.namespace == namespace])
    if not cluster and not places and len(known) == 1:
        return (place(known[0], namespace, settings),), ()
    if places and not cluster:
        return places, ()
    now = f"Compare it with clusters in the settings. By hand: oc get pods -n {namespace}"
    return places, (Note(label="Cluster", text=f"The bot knows no cluster {cluster[:60] or '(none named)'}. {now}"),)


def _in_text(text: str, settings: Settings) -> tuple[Place, ...]:
    """Namespaces of the settings that stand in the text as words; else those that pull from the image's registry."""
    words = set(re.findall(r"[a-z0-9-]+", text.casefold()))
    image = image_in(text)
    by_name = [one for one in settings.targets() if one.namespace in words]
    by_host = [one for one in settings.targets() if image is not None and one.registry == image.host]
    return grouped(by_name or by_host)[:10]


def key_of(alert: Alert) -> str:
    """cluster/namespace"""
    namespace = alert.labels.get("namespace", "")
    return f"{alert.labels.get('cluster', '')[:60]}/{namespace[:63]}" if namespace else ""


def needs(settings: Settings) -> tuple[ClusterNeed, ...]:
    """For `hivekeeper check`: to see who waits and why. Reading pull secrets is among what a refresh needs."""
    kinds = ("pods", "events", "serviceaccounts")
    return tuple(
        ClusterNeed(
            cluster=one.cluster,
            access=Access(verb="list", resource=kind, namespace=one.namespace),
            reason=f"why pods in {one} cannot pull",
        )
        for one in grouped(list(settings.targets()))
        for kind in kinds
    )


HANDLER = Handler(
    name=COMMAND,
    summary="Say why pods cannot pull their images, and what to do.",
    ask=DiagnoseImagePull,
    settings=Settings,
    plan=plan,
    example="dev naming-server-new",
    needs=needs,
)

ALERT_HANDLER = AlertHandler(
    name="image-pull",
    summary="Pods cannot pull their images.",
    settings=Settings,
    matchers=(
        (Matcher(label="alertname", regex=r"(?i:kubepodimagepull.*|.*(?:image.?pull|errimagepull).*)"),),
        (
            Matcher(label="alertname", equal="KubeContainerWaiting"),
            Matcher(label="reason", regex=f"(?:{WAITING})?"),
        ),
    ),
    diagnose=diagnose,
    key=key_of,
    recognises=speaks_of_pulls,
    watching=Watching(every=120, quiet=900, longest=12 * 3600),
    runbook=RUNBOOK,
)
