"""`hivekeeper check` about the realms of Red Hat SSO: nobody logs in, and no token is tried."""

from __future__ import annotations

from collections.abc import Iterator

from bot.app import Parts
from bot.core.errors import Refused
from bot.findings import Finding, looked
from bot.identity import ClientSecret, Realm
from bot.sources import SecretSource


def realms(parts: Parts) -> Iterator[Finding]:
    """Does each realm say of itself what the settings say of it, and are the secrets of its accounts there?"""
    for name, realm in parts.settings.sso.items():
        yield from looked(f"sso {name}", lambda name=name, realm=realm: _offers(name, realm))  # type: ignore[misc]  # lambda
        for account, known in realm.accounts.items():
            source = known.secret if isinstance(known, ClientSecret) else known.key
            yield from looked(f"sso {name} {account}", lambda source=source: _there(parts, source))  # type: ignore[misc]  # lambda


def _offers(name: str, realm: Realm) -> str:
    from bot.tools.sso_wire import Endpoints

    document = Endpoints(name, realm).discovered()
    if document.get("issuer") != realm.issuer:
        told = "it calls itself by another issuer than the settings, so its tokens would be taken for foreign ones."
        raise Refused(told, f"Correct sso.{name}.issuer, to the letter.")
    if realm.device_flow and not document.get("device_authorization_endpoint"):
        raise Refused("it does not offer signing in by device flow.", f"Set sso.{name}.device_flow to false.")
    return "it answers" + (", and people can sign in by device flow." if realm.device_flow else ".")


def _there(parts: Parts, source: SecretSource) -> str:
    parts.resolve(source)
    return "its secret is there; whether it is good shows only a login."
