"""Support cases: opened once for a marker, logged in with an offline token, and every refusal a sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bot.calling import RedhatSupport
from bot.core.errors import Refused, Told, Transient
from bot.tools.redhat_cases import SupportCases
from playground.cases import CasesStandIn

MARKER = "hivekeeper/redhat-auth/case/i-abc/us-south"


@pytest.fixture
def portal(served: Any, kept: dict[str, str], canary: Any) -> CasesStandIn:
    kept["OFFLINE"] = canary("offline token")
    made = CasesStandIn(kept["OFFLINE"])
    served.app = made.app()
    return made


@pytest.fixture
def cases(served: Any, portal: CasesStandIn, resolve: Any) -> Callable[..., SupportCases]:
    def made(**changed: Any) -> SupportCases:
        document = {"offline_token": {"env": "OFFLINE"}, "account": "1", "address": served.url, "timeout": 60}
        login = {"login": served.url + CasesStandIn.LOGIN}
        return SupportCases(RedhatSupport.model_validate(document | login | changed), resolve)

    return made


def open_one(tool: SupportCases) -> None:
    tool.open("Logins fail", "since nine", severity="1 (Urgent)", marker=MARKER)


def test_a_case_is_opened_once(cases: Callable[..., SupportCases], portal: CasesStandIn) -> None:
    """Summary with the marker, text, severity, product and account; a second process finds it by its number."""
    open_one(cases())
    open_one(cases())
    (case,) = portal.cases
    assert case["summary"] == f"Logins fail [{MARKER}]"
    assert (case["severity"], case["accountNumberRef"], case["caseLanguage"]) == ("1 (Urgent)", "1", "en")
    assert cases().reader.find(MARKER) == case["caseNumber"]
    assert cases().find(MARKER + "x") is None


def test_a_number_that_is_not_told(cases: Callable[..., SupportCases], portal: CasesStandIn) -> None:
    """Without a body in the answer the case still counts as opened."""
    portal.bare = True
    tool = cases()
    open_one(tool)
    assert tool.find(MARKER) == portal.cases[0]["caseNumber"]


def test_a_lost_answer_is_found_out(cases: Callable[..., SupportCases], portal: CasesStandIn) -> None:
    """The case was opened but the answer was lost: Transient; trying again opens no second one."""
    portal.cut = True
    with pytest.raises(Transient) as told:
        open_one(cases())
    assert told.value.after == 10.0, "until then it has surely been opened, or will not be"
    portal.cut = False
    open_one(cases())
    assert len(portal.cases) == 1


def test_one_login_serves_many_calls(cases: Callable[..., SupportCases], portal: CasesStandIn) -> None:
    """The access token is kept until its end, and replaced when it is refused before."""
    tool = cases()
    tool.find(MARKER)
    tool.find(MARKER)
    assert portal.logins == 1
    portal.revoke()
    assert tool.find(MARKER) is None
    assert portal.logins == 2


def test_a_dead_offline_token(cases: Callable[..., SupportCases], portal: CasesStandIn, kept: Any, clean: Any) -> None:
    """The setting is named, the token and the server's words are not."""
    kept["OFFLINE"] = "another"
    with pytest.raises(Refused, match=r"redhat_support\.offline_token") as told:
        open_one(cases())
    clean(told.value)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(s, Refused) for s in (302, 400, 401, 403, 404, 422)] + [(s, Transient) for s in (200, 429, 500, 503)],
)
def test_each_refusal_is_a_sentence(
    status: int, kind: type[Told], cases: Callable[..., SupportCases], portal: CasesStandIn, clean: Any
) -> None:
    """What a retry may mend is Transient, the rest Refused; no word of the server's travels."""
    portal.fault = status
    for call in (lambda: open_one(cases()), lambda: cases().find(MARKER)):
        with pytest.raises(kind) as told:
            call()
        clean(told.value)


def test_the_reader_cannot_open(cases: Callable[..., SupportCases]) -> None:
    """What planning gets has no way to open anything."""
    assert not hasattr(cases().reader, "open")
