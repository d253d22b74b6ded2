"""Which handlers are on, and what is wrong with their settings, told by place."""

from __future__ import annotations

import pytest

from bot import enabled
from bot.alerting import AlertRoute
from bot.app import Parts
from bot.core.alert import Alert
from bot.core.errors import Refused
from bot.settings import parse
from handlers import ALERT_HANDLERS, HANDLERS
from tests.conftest import Canary

ALERTS = "alerts.handlers"


def test_all_are_on_that_are_not_off() -> None:
    """Handlers that the settings do not name are on; one that they switch off is gone."""
    first = ALERT_HANDLERS[0].name
    assert list(enabled.of(ALERT_HANDLERS, {}, ALERTS)) == [handler.name for handler in ALERT_HANDLERS]
    assert first not in enabled.of(ALERT_HANDLERS, {first: AlertRoute(enabled=False)}, ALERTS)
    assert first in enabled.of(ALERT_HANDLERS, {first: AlertRoute(channel="C0ONCALL")}, ALERTS)


def test_the_label_of_the_region_makes_the_incident() -> None:
    """Alerts of two regions are two incidents, by whatever label the settings say that names them."""
    route = {"settings": {"region_label": "dc"}}
    handler = Parts(parse({"alerts": {"handlers": {"redhat-auth": route}}}, "test")).alert_handlers["redhat-auth"]
    alert = Alert(identity="a", status="firing", labels={"dc": "eu-de", "region": "europe"}, starts_at=0)
    assert handler.key(alert) == "eu-de"


def test_an_unknown_name_is_told_with_the_known_ones() -> None:
    """A misspelt handler is refused where it stands."""
    with pytest.raises(Refused, match=r"alerts\.handlers\.redhat-auht in the settings is no handler.*redhat-auth"):
        enabled.of(ALERT_HANDLERS, {"redhat-auht": AlertRoute()}, ALERTS)


def test_wrong_settings_are_told_without_the_input(canary: Canary) -> None:
    """The place and the rule; what stands there may be a secret."""
    word = canary("secret")
    commands = parse({"commands": {HANDLERS[0].name: {"settings": {"no-such-key": word}}}}, "test").commands
    with pytest.raises(Refused, match=rf"commands\.{HANDLERS[0].name}\.settings is not right: no-such-key") as told:
        enabled.settings({HANDLERS[0].name: HANDLERS[0]}, commands, "commands")
    assert word not in str(told.value)


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ({"webhooks": {"alertmanager": ["a-token-in-the-settings"]}}, "webhooks.alertmanager.0"),
        ({"webhooks": {"nagios": []}}, "webhooks.nagios"),
        ({"alerts": {"channels": ["#oncall"]}}, "alerts.channels.0"),
        ({"alerts": {"handlers": {"x": {"chanel": "C0ONCALL"}}}}, "alerts.handlers.x.chanel"),
    ],
)
def test_ways_in_that_are_not_right(document: dict[str, object], place: str) -> None:
    """Keys by value, sources that are none, channels by name: refused by place."""
    with pytest.raises(Refused, match=place) as told:
        parse(document, "test")
    assert "a-token-in-the-settings" not in str(told.value)
