"""A secret, and a reference to where one lives.

`pydantic.SecretStr` is not enough: it compares, pickles and was found readable in a workflow database.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from pydantic import Field

from bot.core.value import Value


class Secret:
    """A value that cannot be written down: no text, no comparison, no hash, no copy, no pickle, no dump.

    `reveal` may be called in `bot/tools` only; a test reads the source to see.
    """

    __slots__ = ("reveal",)
    reveal: Callable[[], str]

    def __init__(self, value: str) -> None:
        if not isinstance(value, str):
            raise TypeError("a Secret holds text")
        object.__setattr__(self, "reveal", lambda: value)

    def __repr__(self) -> str:
        return "<Secret>"

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("a Secret cannot be written down, compared or copied")

    __str__ = __format__ = __bytes__ = __iter__ = __len__ = __bool__ = _refuse
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __hash__ = _refuse
    __add__ = __radd__ = __mod__ = __contains__ = __getitem__ = _refuse
    __reduce__ = __reduce_ex__ = __getstate__ = __copy__ = __deepcopy__ = _refuse
    __setattr__ = __delattr__ = _refuse
    __get_pydantic_core_schema__ = _refuse


class SecretRef(Value):
    """Where a secret lives: never what it is.

    `system` names the store (today: "vault"), `path` is mount and path as people write them
    ("sd-uhc/sandbox"), `field` is the key there, `inside` the keys into a document held in that field.
    """

    system: str = "vault"
    path: str = Field(min_length=1, max_length=512)
    field: str = Field(min_length=1, max_length=256)
    inside: tuple[str | int, ...] = ()

    def __str__(self) -> str:
        within = "".join(f" › {key}" for key in self.inside)
        return f"{self.path} ({self.field}{within})"
