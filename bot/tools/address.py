"""The host of an address in the settings, for sentences; an address that is none must not break them."""

from urllib.parse import urlsplit


def host(address: str) -> str | None:
    """The host's name, None if there is none to be found."""
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


def is_http(address: str) -> bool:
    """Is it an http or https address with a host?"""
    return host(address) is not None and urlsplit(address).scheme in ("http", "https")
