"""The login is in the Secret and nowhere else: the canary of the world looks for every password that Amazon gave."""

from __future__ import annotations

import base64
import json
import logging
import pickle
import traceback
from typing import Any

import pytest

from bot.core.errors import Told
from bot.tools import aws_wire
from handlers import ecr_ground


def test_no_log_holds_it_however_much_is_logged(world: Any, caplog: pytest.LogCaptureFixture) -> None:
    """With every logger of every client wide open but those that the tool itself keeps shut."""
    for name in ("", "urllib3", "kubernetes"):
        caplog.set_level(logging.DEBUG, logger=name)
    assert aws_wire.__name__
    plan = world.plan()
    assert world.apply(plan) == {}
    world.report(plan)
    assert caplog.records, "clients log, so the test can fail"
    assert not [one for one in caplog.records if one.name.startswith(("boto3", "botocore"))]


def test_what_is_stored_holds_none(world: Any) -> None:
    """Plan, report and inventory as they go into the store."""
    plan = world.plan()
    world.apply(plan)
    credentials = world.handler.inventory(world.settings, world.read_tools)
    texts = [
        plan.model_dump_json(),
        world.report(plan).model_dump_json(),
        *(one.model_dump_json() for one in credentials),
    ]
    assert world.aws._passwords
    for password in world.aws._passwords:
        encoded = base64.b64encode(f"AWS:{password}".encode()).decode()
        assert not [text for text in texts if password in text or encoded in text]


def test_values_with_a_login_cannot_be_written_down(world: Any) -> None:
    """Neither shown, nor dumped, nor pickled, alone or inside of what holds them."""
    world.apply(world.plan(env=("dev",)))
    targets = world.settings.targets()[:1]
    ground = ecr_ground.survey(targets, world.read_tools, world.now())
    (token,) = ground.tokens.values()
    secret = world.read_tools.kubernetes.secret("one", "cf-dev", "ecr-secret")
    for one in (token, token.login, secret, ground):
        assert not [word for word in world.aws._passwords if word in repr(one) + str(one)]
        with pytest.raises(TypeError):
            pickle.dumps(one)
        with pytest.raises(TypeError):
            json.dumps(one)


@pytest.mark.parametrize("broken", ["cluster", "registry"])
def test_no_error_carries_it(world: Any, broken: str) -> None:
    """Of a write or a question that fails with the login on its way: text, arguments, causes and all frames' words."""
    plan = world.plan(env=("dev",))
    if broken == "cluster":
        world.clusters["one"].deny("create", "secrets")
        errors = list(world.apply(plan).values())
    else:
        world.registry.state = 500
        told = world.plan(env=("dev",)).warnings
        errors = [Told(text, "") for text in told]
    assert errors
    for error in errors:
        whole = "".join(traceback.TracebackException.from_exception(error).format()) + repr(error.args)
        assert (error.__cause__, error.__context__) == (None, None)
        assert not [word for word in world.aws._passwords if word in whole]
