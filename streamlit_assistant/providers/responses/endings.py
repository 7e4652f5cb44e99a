"""How a response ends: its status, its tokens, what must be remembered of it."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from streamlit_assistant.errors import RunErrorCode, Trouble, UpstreamError
from streamlit_assistant.json_text import to_json
from streamlit_assistant.providers.base import Delta, Finish, FinishReason, Remember, Usage
from streamlit_assistant.providers.responses.calls import FunctionCall
from streamlit_assistant.providers.responses.register import Entry
from streamlit_assistant.providers.responses.shapes import as_count, as_object, as_objects, as_text
from streamlit_assistant.providers.upstream_failure import Explainer
from streamlit_assistant.records import JSON
from streamlit_assistant.surrogates import whole

COMPLETED, INCOMPLETE, FAILED, CANCELLED = "completed", "incomplete", "failed", "cancelled"
TERMINAL = {COMPLETED, INCOMPLETE, FAILED, CANCELLED}
NAMELESS = "The model called a function without naming it."
CALLED_OFF = "The answer was cancelled at the model server."
WITHOUT_REASON = "The model server gave up without saying why."
# And everything that is said about an image.
_REFUSED = {
    *("invalid_prompt", "data_residency_mismatch", "bio_policy", "misalignment_policy_violation"),
}
_REASONS = {
    "content_filter": FinishReason.CONTENT_FILTER,
    "steered": FinishReason.STOP,
}


class Ending:
    """What is made of the end of one response."""

    def __init__(
        self, explainer: Explainer, server: str, limit: int | None, is_stored: bool
    ) -> None:
        """`limit`: the tokens that were asked for, where the server's own word does not count.

        `is_stored`: the server keeps its items, so that they may be told again by their ids.
        """
        self.has_come = False
        self._explainer = explainer
        self._server = server
        self._limit = limit
        self._is_stored = is_stored

    def status(self, event: str, response: JSON) -> str:
        """Return how the response ended; raise `UpstreamError` if there is no answer."""
        said = as_text(response.get("status"))
        status = said if said in TERMINAL else event.rpartition(".")[2]
        if status == FAILED:
            raise self._failure(response.get("error") or {"message": WITHOUT_REASON})
        if status == CANCELLED:
            raise UpstreamError(CALLED_OFF, trouble=Trouble.REQUEST)
        return status

    def error(self, event: JSON) -> UpstreamError:
        """Explain an event that is an error: the error is in it, or it is the error."""
        named = ("code", "message", "param")
        return self._failure(event.get("error") or {name: event.get(name) for name in named})

    def deltas(self, status: str, response: JSON, entries: Sequence[Entry]) -> Iterator[Delta]:
        """Yield usage, what must be remembered and the end; raise if a call names no function."""
        calls = [each.item for each in entries if isinstance(each.item, FunctionCall)]
        usage = _usage(response.get("usage"))
        if usage is not None:
            yield usage
        finish = self._reason(status, response, usage, calls)
        if finish is FinishReason.TOOL_CALLS:
            if not all(call.is_named for call in calls):
                raise UpstreamError(NAMELESS)
            yield Remember(self._memory(response, entries), self._server)
        self.has_come = True
        yield Finish(finish)

    def _reason(
        self, status: str, response: JSON, usage: Usage | None, calls: Sequence[FunctionCall]
    ) -> FinishReason:
        if status == INCOMPLETE:
            reason = as_text(as_object(response.get("incomplete_details")).get("reason"))
            return _REASONS.get(reason, FinishReason.MAX_TOKENS)
        if calls and all(call.is_whole for call in calls):
            return FinishReason.TOOL_CALLS
        if self._limit is not None and usage and usage.completion_tokens >= self._limit:
            return FinishReason.MAX_TOKENS  # it says `completed` all the same
        return FinishReason.TOOL_CALLS if calls else FinishReason.STOP

    def _memory(self, response: JSON, entries: Sequence[Entry]) -> JSON:
        output = as_objects(response.get("output"))
        if not any(item.get("type") == "function_call" for item in output):
            output = [item for item in map(_told, entries) if item is not None]
        return {"items": _storable(output), "stored": self._is_stored}

    def _failure(self, error: Any) -> UpstreamError:
        explained = self._explainer.error_frame(error)
        code = as_text(as_object(error).get("code"))
        if code == "rate_limit_exceeded":
            explained.code = RunErrorCode.RATE_LIMIT_EXCEEDED
        elif code in _REFUSED or "image" in code.split("_"):
            explained.code, explained.trouble = RunErrorCode.INVALID_PROMPT, Trouble.REQUEST
        return explained


def _told(entry: Entry) -> JSON | None:
    if entry.told is None and isinstance(entry.item, FunctionCall):
        return entry.item.told
    return entry.told


def _storable(items: Sequence[JSON]) -> list[JSON]:
    """Return the items without what no database takes: half a character, what is not a number."""
    told: list[JSON] = json.loads(whole(to_json(items)), parse_constant=lambda name: None)
    return told


def _usage(given: object) -> Usage | None:
    """Return the counts if both are counts; half a truth would be taken for the whole."""
    told = as_object(given)
    prompt, completion = as_count(told.get("input_tokens")), as_count(told.get("output_tokens"))
    if prompt is None or completion is None:
        return None
    cached = as_count(as_object(told.get("input_tokens_details")).get("cached_tokens"))
    thought = as_count(as_object(told.get("output_tokens_details")).get("reasoning_tokens"))
    return Usage(prompt, completion, cached or 0, thought or 0)
