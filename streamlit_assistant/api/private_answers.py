"""Answers that hold words of a temporary thread: they are passed on and kept nowhere.

Not even those to a GET: a POST that is repeated may be answered with one of them.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from starlette.responses import JSONResponse

from streamlit_assistant import responses
from streamlit_assistant.api.run_options import TEMPORARY
from streamlit_assistant.records import JSON, Message, Page, Run, Thread

NAME, VALUE = "cache-control", "no-store"
NONE: Mapping[str, str] = MappingProxyType({})


def thread_answer(thread: Thread) -> JSONResponse:
    """Return a thread as an answer."""
    return _answer(responses.thread(thread), thread.temporary)


def message_answer(message: Message, thread: Thread) -> JSONResponse:
    """Return a message as an answer."""
    return _answer(responses.message(message), thread.temporary)


def messages_answer(
    page: Page[Message], thread: Thread, headers: Mapping[str, str] = NONE
) -> JSONResponse:
    """Return several messages as an answer."""
    return _answer(responses.page(page, responses.message), thread.temporary, headers)


def run_answer(run: Run, headers: Mapping[str, str] = NONE) -> JSONResponse:
    """Return a run as an answer."""
    return _answer(responses.run(run), bool(run.options.get(TEMPORARY)), headers)


def is_private(headers: Sequence[Sequence[str]]) -> bool:
    """Whether an answer with these headers is not to be kept."""
    return any(name.lower() == NAME and value == VALUE for name, value in headers)


def _answer(body: JSON, private: bool, headers: Mapping[str, str] = NONE) -> JSONResponse:
    return JSONResponse(body, headers={**headers, NAME: VALUE} if private else dict(headers))
