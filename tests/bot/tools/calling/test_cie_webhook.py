"""A CIE through a webhook: taken once for a marker, and every refusal a sentence."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from bot.calling import CieWebhook
from bot.core.errors import Refused, Told, Transient
from bot.tools.cie_webhook import Webhook
from playground.broken import unused_port
from playground.tcp_proxy import proxied
from playground.webhook import WebhookStandIn

LINKS = {"The query": "https://prometheus.example.com/graph"}


@pytest.fixture
def receiver(served: Any, kept: dict[str, str], canary: Any) -> WebhookStandIn:
    kept |= {"TOKEN": canary("token"), "API": canary("api key")}
    made = WebhookStandIn(kept["TOKEN"])
    served.app = made.app()
    return made


@pytest.fixture
def hooks(served: Any, receiver: WebhookStandIn, resolve: Any) -> Callable[..., Webhook]:
    def made(**changed: Any) -> Webhook:
        document = {"address": f"{served.url}/cie", "token": {"env": "TOKEN"}, "timeout": 60}
        return Webhook(CieWebhook.model_validate(document | changed), resolve)

    return made


def call(tool: Webhook, marker: str = "m") -> None:
    tool.call("It burns", "What was seen", marker=marker, region="us-south", links=LINKS)


def test_a_call_is_taken(hooks: Callable[..., Webhook], receiver: WebhookStandIn) -> None:
    """The document is whole, the marker is the idempotency key; then it counts as raised, for the reader too."""
    tool = hooks()
    assert not tool.raised("m")
    call(tool)
    assert receiver.opened == (
        {"title": "It burns", "body": "What was seen", "marker": "m", "region": "us-south", "links": LINKS},
    )
    assert receiver.calls[0]["idempotency-key"] == "m"
    assert tool.raised("m")
    assert tool.reader.raised("m")
    assert not tool.raised("other")
    assert not hooks().raised("m")
    assert not hasattr(tool.reader, "call")


def test_headers_and_a_secret_path(
    hooks: Callable[..., Webhook], receiver: WebhookStandIn, served: Any, kept: dict[str, str]
) -> None:
    """Plain ones as they stand, secret ones by reference; the address may have a secret part."""
    kept["PATH_OF_IT"] = "/cie"
    more = {"headers": {"X-Team": "armada"}, "secret_headers": {"X-Api-Key": {"env": "API"}}}
    call(hooks(address=served.url, path={"env": "PATH_OF_IT"}, **more))
    assert receiver.calls[0]["x-team"] == "armada"
    assert receiver.calls[0]["x-api-key"] == kept["API"]


def test_a_lost_answer_is_not_taken_for_a_success(hooks: Callable[..., Webhook], receiver: WebhookStandIn) -> None:
    """The call was taken but the answer was lost: Transient, and the second try, also of a new process, is no second
    CIE."""
    tool = hooks()
    receiver.cut = True
    with pytest.raises(Transient):
        call(tool)
    assert not tool.raised("m")
    receiver.cut = False
    call(hooks())
    assert (len(receiver.calls), len(receiver.opened)) == (2, 1)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(s, Refused) for s in (302, 400, 401, 403, 404, 409, 410, 422)] + [(s, Transient) for s in (429, 500, 502, 503)],
)
def test_each_refusal_is_a_sentence(
    status: int, kind: type[Told], hooks: Callable[..., Webhook], receiver: WebhookStandIn, clean: Any
) -> None:
    """What a retry may mend is Transient, the rest Refused; no word of the server's travels."""
    receiver.fault = status
    with pytest.raises(kind) as told:
        call(hooks())
    clean(told.value)
    assert str(status) in str(told.value)


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_success_is_a_yes(status: int, hooks: Callable[..., Webhook], receiver: WebhookStandIn) -> None:
    """What an organisation's own system answers is its own affair."""
    receiver.fault = status
    tool = hooks()
    call(tool)
    assert tool.raised("m")


def test_retry_after_is_kept(hooks: Callable[..., Webhook], receiver: WebhookStandIn) -> None:
    """A 429 says when to come again."""
    receiver.fault, receiver.retry_after = 429, 7
    with pytest.raises(Transient) as told:
        call(hooks())
    assert told.value.after == 7


def test_a_wrong_token_is_refused(hooks: Callable[..., Webhook], kept: dict[str, str], clean: Any) -> None:
    """The setting is named, not the token; a line break in it does not become a header."""
    for wrong in (secrets.token_hex(8), "abc\r\nX-Evil: 1"):
        kept["TOKEN"] = wrong
        with pytest.raises(Refused, match="cie_webhook") as told:
            call(hooks())
        clean(told.value)


def test_broken_ways(hooks: Callable[..., Webhook], served: Any, clean: Any) -> None:
    """Reset, cut off, swallowed or not there at all: Transient each time, with a sentence."""
    with proxied(served.port) as way:
        for fault, value in (("reset", True), ("cut", 10), ("blackhole", True)):
            way.heal()
            setattr(way, fault, value)
            tool = hooks(address=f"http://127.0.0.1:{way.port}/cie", timeout=0.5 if way.blackhole else 60)
            with pytest.raises(Transient) as told:
                call(tool)
            clean(told.value)
            assert not tool.raised("m")
    with pytest.raises(Transient, match="does not accept connections"):
        call(hooks(address=f"http://127.0.0.1:{unused_port()}/cie"))


@pytest.mark.parametrize(
    "headers",
    [{"Authorization": "x"}, {"X-Api-Key": "x"}, {"Host": "x"}, {"A B": "x"}, {"X": "a\r\nb"}, {"Cookie": "x"}],
)
def test_what_is_no_plain_header_is_refused(headers: dict[str, str]) -> None:
    """A secret belongs into secret_headers; the sentence says so without the value."""
    with pytest.raises(ValidationError):
        CieWebhook.model_validate({"address": "https://cie.example.com", "headers": headers})
