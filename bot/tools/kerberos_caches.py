"""Ends a ticket cache in this process's memory. GSSAPI has no call for that, the Kerberos library below it has."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

LIBRARY = "libkrb5.so.3"


def destroy(name: str) -> bool:
    """Was there a Kerberos library to do it? A cache that there is not counts as ended."""
    library = _library()
    if library is None:
        return False
    context, found = ctypes.c_void_p(), ctypes.c_void_p()
    if library.krb5_init_context(ctypes.byref(context)) != 0:
        return False
    try:
        if library.krb5_cc_resolve(context, name.encode(), ctypes.byref(found)) == 0:
            library.krb5_cc_destroy(context, found)
    finally:
        library.krb5_free_context(context)
    return True


def _library() -> Any:
    """None where there is none, and before GSSAPI is loaded: there are no caches then."""
    if "gssapi" not in sys.modules:
        return None
    try:
        return ctypes.CDLL(LIBRARY)  # the one that is loaded already
    except OSError:
        return None
