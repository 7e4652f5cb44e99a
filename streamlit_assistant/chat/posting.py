"""Sync column: posts a thing exactly once, however often the line breaks while posting it."""

from collections.abc import Callable, Generator
from typing import TypeVar

from streamlit_assistant.chat.chat_errors import ChatError, ErrorKind
from streamlit_assistant.chat.patience import Patience

T = TypeVar("T")
S = TypeVar("S")

# After these nobody can tell whether the server did what it was asked to.
IN_DOUBT: frozenset[ErrorKind] = frozenset({"unreachable", "server"})


def post_once(
    patience: Patience,
    create: Callable[[], T],
    find: Callable[[], T | None],
    sign: Callable[[], S],
) -> Generator[S, None, T]:
    """Create, and after a failure that leaves it in doubt look with `find` before trying again."""
    in_doubt = False

    def attempt() -> T:
        nonlocal in_doubt
        if in_doubt and (made := find()) is not None:
            return made
        try:
            return create()
        except ChatError as error:
            # The lock may be the work of the lost attempt, which reached the server after all.
            if in_doubt and error.kind == "busy" and (made := find()) is not None:
                return made
            in_doubt = in_doubt or error.kind in IN_DOUBT
            raise

    return (yield from patience.insist(attempt, sign=sign))
