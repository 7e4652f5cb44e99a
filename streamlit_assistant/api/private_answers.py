"""Answers that hold words of a temporary thread: they are passed on and kept nowhere."""

from collections.abc import Sequence

from starlette.responses import JSONResponse

from streamlit_assistant import responses
from streamlit_assistant.api.run_options import TEMPORARY
from streamlit_assistant.records import JSON, Message, Run, Thread

NAME, VALUE = "cache-control", "no-store"


def message_answer(message: Message, thread: Thread) -> JSONResponse:
    """Return a message as an answer to a POST."""
    return _answer(responses.message(message), is_private=thread.temporary)


def messages_answer(messages: Sequence[Message], thread: Thread) -> JSONResponse:
    """Return several messages as an answer to a POST."""
    listed = responses.listing([responses.message(each) for each in messages], has_more=False)
    return _answer(listed, is_private=thread.temporary)


def run_answer(run: Run) -> JSONResponse:
    """Return a run as an answer to a POST."""
    return _answer(responses.run(run), is_private=bool(run.options.get(TEMPORARY)))


def is_private(headers: Sequence[Sequence[str]]) -> bool:
    """Whether an answer with these headers is not to be kept."""
    return any(name.lower() == NAME and value == VALUE for name, value in headers)


def _answer(body: JSON, *, is_private: bool) -> JSONResponse:
    return JSONResponse(body, headers={NAME: VALUE} if is_private else None)
