"""One call of AWS by boto3: nothing of the environment, one attempt, and what failed as a value.

Imported at the first call, under `http_answer.LOADING`. boto3 and botocore are muted: their loggers write down
requests, answers and the texts of errors, with keys in them.
"""

from __future__ import annotations

import logging
import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import boto3
import botocore.exceptions as known
from botocore import UNSIGNED, xform_name
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.loaders import Loader
from botocore.parsers import ResponseParserError
from botocore.session import Session
from urllib3.exceptions import NewConnectionError
from urllib3.exceptions import TimeoutError as PoolTimeout

from bot.cloud import AwsAccess, Profile
from bot.tools.aws_told import Doing, Failed, Failure, Local
from bot.tools.http_answer import How
from bot.tools.tls import distrusted, links

for library in ("boto3", "botocore"):
    logging.getLogger(library).setLevel(logging.CRITICAL + 1)

T = TypeVar("T")
QUIET = {name: (None, None, default, kind) for name, (_, _, default, kind) in Session.SESSION_VARIABLES.items()}
ELSEWHERE = ("ec2-credentials-file", "boto-config", "container-role", "iam-role")  # what no profile stands for
CODE = re.compile(r"[A-Za-z][A-Za-z0-9.]{1,80}")
CODE_IN_XML = re.compile(r"<Code>([A-Za-z][A-Za-z0-9.]{1,80})</Code>")  # where JSON was expected
TUNNEL = re.compile(r"Tunnel connection failed: [0-9]{3}")


def keys(key_id: str, secret: str, token: str | None) -> Any:
    """Credentials as `call` takes them."""
    return Credentials(key_id, secret, token)


def found(access: AwsAccess, region: str) -> Any:
    """What the profile or the default chain has; renews itself if it can. `region`: where roles are taken on for it, if
    that does not name one. Raises Failed, and nothing else."""
    return _bounded(access.timeout, lambda: _found(access, region), time.time)


def call(
    access: AwsAccess, doing: Doing, operation: str, keys: Any, now: Callable[[], float], **parameters: Any
) -> dict[str, Any]:
    """Ask once, unsigned if there are no keys. Raises Failed, and nothing else."""
    if access.ca_file and not access.ca_file.is_file():
        raise Failed(Failure("ca_file"))
    try:
        return _bounded(access.timeout, lambda: _call(access, doing, operation, keys, parameters), now)
    except Failed as failed:
        if failed.failure.how == "dns" and not access.endpoint_url and doing.region not in _regions():
            raise Failed(Failure("dns", region_known=False)) from None
        raise


def skew(answer: Mapping[str, Any], now: float) -> float | None:
    """By how many seconds the bot's clock is ahead of AWS's; None if AWS did not tell the time."""
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    try:
        return now - parsedate_to_datetime(headers["date"]).timestamp()
    except (KeyError, ValueError, TypeError, OverflowError):
        return None


def _found(access: AwsAccess, region: str) -> Any:
    if isinstance(access.auth, Profile):
        session = Session(session_vars=QUIET, profile=access.auth.profile)
        session.set_config_variable("config_file", str(access.auth.config_file))
        session.set_config_variable("credentials_file", str(access.auth.credentials_file))
        for provider in ELSEWHERE:
            session.get_component("credential_provider").remove(provider)
        session.get_scoped_config()  # tells of a profile that is not there
    else:
        session = Session()
    session.set_config_variable("ca_bundle", str(access.ca_file) if access.ca_file else None)
    if not session.get_config_variable("region"):
        session.set_config_variable("region", region)
    session.set_default_client_config(_config(access))
    credentials = session.get_credentials()
    if credentials is None:
        raise known.NoCredentialsError
    credentials.get_frozen_credentials()
    return credentials


def _call(access: AwsAccess, doing: Doing, operation: str, keys: Any, parameters: Mapping[str, Any]) -> dict[str, Any]:
    service = "ecr" if operation == "GetAuthorizationToken" else "sts"
    client = _client(access, service, doing.region, keys.get_frozen_credentials() if keys else None)
    heard: list[Any] = []
    client.meta.events.register(f"before-parse.{service}", lambda **it: heard.append(it))
    try:
        answer: dict[str, Any] = getattr(client, xform_name(operation))(**parameters)
    except (known.ClientError, known.BotoCoreError):
        raise
    except Exception:
        if heard:  # the parsers fail in many ways at what is not of AWS
            raise ResponseParserError from None
        raise
    finally:
        client.close()
    return answer


def _client(access: AwsAccess, service: str, region: str, own: Any) -> Any:
    """A new one for each call, so that keys of two ways in never meet; unsigned without keys."""
    with CREATING:
        return boto3.Session(botocore_session=BLANK).client(
            service,
            region_name=region,
            endpoint_url=(access.sts_endpoint_url if service == "sts" else None) or access.endpoint_url,
            verify=str(access.ca_file) if access.ca_file else True,  # without it REQUESTS_CA_BUNDLE decides
            aws_access_key_id=own.access_key if own else None,
            aws_secret_access_key=own.secret_key if own else None,
            aws_session_token=own.token if own else None,
            config=_config(access, ignore_configured_endpoint_urls=True, signature_version=None if own else UNSIGNED),
        )


def _blank() -> Session:
    """Knows nothing of this machine: no variables, no files, no models but botocore's."""
    session = Session(session_vars=QUIET)
    session.register_component("data_loader", Loader())
    for file in ("config_file", "credentials_file"):
        session.set_config_variable(file, os.devnull)
    return session


def _config(access: AwsAccess, **more: Any) -> Config:
    """One attempt: the engine is who repeats. An empty mapping of proxies keeps those of the environment out."""
    return Config(
        connect_timeout=access.timeout,
        read_timeout=access.timeout,
        retries={"mode": "standard", "total_max_attempts": 1},
        proxies={"http": access.proxy, "https": access.proxy} if access.proxy else {},
        **more,
    )


def _regions() -> set[str]:
    """All that botocore has heard of; there may be newer ones."""
    with CREATING:
        groups = BLANK.get_available_partitions()
        return {region for group in groups for region in BLANK.get_available_regions("ecr", group)}


def _bounded(seconds: float, ask: Callable[[], T], now: Callable[[], float]) -> T:
    """Not later than that, whatever hangs: name resolution cannot be hurried, and a body may come byte by byte. What is
    late is left to end by itself."""
    answers: list[T] = []
    failures: list[Failed] = []

    def run() -> None:
        try:
            answers.append(ask())
        except Exception as problem:
            # Everything: botocore fails in its own ways, with server text, addresses and keys in its errors.
            failures.append(_failed(problem, now()))

    thread = threading.Thread(target=run, daemon=True, name="aws")
    thread.start()
    thread.join(seconds)
    if answers:
        return answers[0]
    raise failures[0] if failures else Failed(Failure("timeout"))


def _failed(problem: Exception, now: float) -> Failed:
    if isinstance(problem, known.ClientError):
        return Failed(_answered(problem, now), str(problem.operation_name))
    return Failed(Failure(_how(problem), code=type(problem).__name__))


def _answered(problem: known.ClientError, now: float) -> Failure:
    error, about = problem.response.get("Error", {}), problem.response.get("ResponseMetadata", {})
    code, text = str(error.get("Code", "")), str(error.get("Message", ""))
    inside = CODE_IN_XML.search(text[:4000])
    after = str(about.get("HTTPHeaders", {}).get("retry-after", ""))
    return Failure(
        "answered",
        code=code if CODE.fullmatch(code) else inside[1] if inside else "",
        status=int(about.get("HTTPStatusCode") or 0),
        text=text,
        skew=skew(problem.response, now),
        after=min(float(after), 3600.0) if after.isascii() and after.isdigit() else None,
    )


def _how(problem: Exception) -> How | Local:
    """The first that fits anywhere in the chain of errors."""
    chain = list(links(problem))
    if distrusted(problem):
        return "certificate"
    if isinstance(problem, known.ProxyConnectionError):
        return "proxy_refused" if any(TUNNEL.search(str(link)) for link in chain) else "proxy"
    return next((how for kinds, how in KINDS if any(isinstance(link, kinds) for link in chain)), "unknown")


KINDS: tuple[tuple[tuple[type[BaseException], ...], How | Local], ...] = (
    ((known.NoCredentialsError,), "no_credentials"),
    ((known.PartialCredentialsError,), "half_credentials"),
    ((known.ProfileNotFound,), "no_profile"),
    ((known.ConfigParseError, known.ConfigNotFound, known.InvalidConfigError, known.UnknownCredentialError,
      known.RefreshWithMFAUnsupportedError), "bad_profile"),
    ((known.SSOError, known.LoginError, known.TokenRetrievalError), "sso"),
    ((known.CredentialRetrievalError, known.MetadataRetrievalError), "source"),
    ((known.ParamValidationError,), "bad_role"),
    ((known.NoRegionError, known.InvalidRegionError, known.UnknownRegionError, known.EndpointProviderError,
      known.BaseEndpointResolverError), "no_region"),
    ((FileNotFoundError, PermissionError), "no_file"),
    ((ResponseParserError,), "misshapen"),
    ((ssl.SSLEOFError, ssl.SSLZeroReturnError), "cut"),
    ((ssl.SSLError,), "tls"),
    ((socket.gaierror,), "dns"),
    ((ConnectionRefusedError, NewConnectionError), "refused"),  # urllib3 calls the latter a kind of timeout
    ((known.ReadTimeoutError, known.ConnectTimeoutError, PoolTimeout, TimeoutError), "timeout"),
    ((known.HTTPClientError,), "cut"),
)  # fmt: skip

BLANK = _blank()
CREATING = threading.Lock()  # sessions are not for two threads at once; clients are
