"""What the events of a response say, in all the ways in which servers say it.

An event is told by the string in its `type`; what is not known is passed over. Most things are
said several times: in pieces, as a whole, as part of their item, as part of the response. Whatever
comes first is shown, and what comes again is not.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from streamlit_assistant.providers.base import Begun, Delta
from streamlit_assistant.providers.responses.approval import Approval
from streamlit_assistant.providers.responses.calls import FUNCTION_CALL, FunctionCall, HostedCall
from streamlit_assistant.providers.responses.endings import Ending
from streamlit_assistant.providers.responses.files import UpstreamFiles
from streamlit_assistant.providers.responses.growth import Numbering
from streamlit_assistant.providers.responses.items import (
    CONTENT,
    MESSAGE,
    REASONING,
    REFUSAL,
    SUMMARY,
    TEXT,
    Item,
    Message,
    Reasoning,
)
from streamlit_assistant.providers.responses.register import Entry, Register
from streamlit_assistant.providers.responses.shapes import (
    as_arguments,
    as_object,
    as_objects,
    as_text,
)
from streamlit_assistant.providers.responses.stage import Stage
from streamlit_assistant.records import JSON

# By the beginning of an event's type: what kind of item it is about, what it says of that, and how
# the whole of it is called. The ends are `.delta` and `.done`.
_TEXTS: Mapping[str, tuple[str, str, str]] = {
    "response.output_text": (MESSAGE, TEXT, "text"),
    "response.refusal": (MESSAGE, REFUSAL, "refusal"),
    "response.reasoning_summary_text": (REASONING, SUMMARY, "text"),
    "response.reasoning_text": (REASONING, CONTENT, "text"),
    "response.reasoning": (REASONING, CONTENT, "text"),  # as it was called before
    "response.function_call_arguments": (FUNCTION_CALL, "arguments", "arguments"),
    "response.mcp_call_arguments": ("mcp_call", "arguments", "arguments"),
    "response.code_interpreter_call_code": ("code_interpreter_call", "code", "code"),
    "response.custom_tool_call_input": ("custom_tool_call", "input", "input"),
}
_APPROVAL = "mcp_approval_request"
_ENDS = {
    *("response.completed", "response.incomplete", "response.failed", "response.cancelled"),
    "response.done",
}
_BEGINNINGS = {"response.created", "response.queued", "response.in_progress"}
_ERRORS = {"error", "response.error"}


class Reading:
    """One response as it is read.

    `id` is the response's, once it is known. `has_begun`: something but its announcement has come.
    `goes_on`: the server goes on with it without us.
    """

    def __init__(
        self,
        files: UpstreamFiles,
        ending: Ending,
        announces: bool = False,
        resumed: str | None = None,
    ) -> None:
        """`announces`: the server was asked to go on without us. `resumed`: it does, with this."""
        self.id = resumed or ""
        self.has_begun = False
        self.goes_on = resumed is not None
        self.numbering = Numbering()
        self._announces = announces
        self._files = files
        self._ending = ending
        self._stage = Stage()
        self._register = Register()
        self._is_torn = False

    @property
    def finished(self) -> bool:
        """Whether the answer is whole."""
        return self._ending.has_come

    def deltas(self, event: JSON) -> Iterator[Delta]:
        """Yield what an event says; raise `UpstreamError` if the answer has failed."""
        kind = as_text(event.get("type"))
        if kind in _ERRORS or (event.get("error") and not kind.startswith("response.")):
            raise self._ending.error(event)
        if self.finished:
            return
        self._is_torn = self.numbering.notes_gap(event)
        if self._is_torn:
            for entry in self._register.open_ones():
                entry.item.tear()
        if kind in _BEGINNINGS:
            yield from self._begin(as_object(event.get("response")))
            return
        self.has_begun = True
        if kind in _ENDS:
            yield from self._end(kind, as_object(event.get("response")))
        else:
            yield from self._say(kind, event)

    def _begin(self, response: JSON) -> Iterator[Delta]:
        is_new = not self.id
        self.id = self.id or as_text(response.get("id"))
        # Who knows of no background says nothing of it, or that this is none.
        accepted = self._announces and response.get("background") is not False
        if is_new and self.id and accepted and not self.has_begun:
            self.goes_on = True
            yield Begun(self.id)

    def _say(self, kind: str, event: JSON) -> Iterator[Delta]:
        stem, _, end = kind.rpartition(".")
        if stem in _TEXTS and end in ("delta", "done"):
            yield from self._say_text(*_TEXTS[stem], end == "done", event)
        elif stem == "response.output_item":
            yield from self._say_item(event, end == "done")
        elif kind == "response.content_part.done":
            part = as_object(event.get("part"))
            if part.get("type") in (TEXT, REFUSAL):
                message = self._message(event)
                yield from message.take_part(part, event.get("content_index"))
        elif kind == "response.output_text.annotation.added":
            annotation = as_object(event.get("annotation"))
            yield from self._message(event).refer(annotation, event.get("content_index"))

    def _say_text(
        self, kind: str, field: str, whole: str, is_whole: bool, event: JSON
    ) -> Iterator[Delta]:
        entry = self._register.of(kind, event)
        if entry is None:
            entry = self._enter(kind, event)
        elif entry.told is None:
            entry.meet(event)
        if is_whole:
            told = (as_arguments if whole == "arguments" else as_text)(event.get(whole))
            yield from entry.item.fill(field, event, told)
        else:
            yield from entry.item.add(field, event)

    def _say_item(self, event: JSON, is_whole: bool) -> Iterator[Delta]:
        item = as_object(event.get("item"))
        kind = as_text(item.get("type"))
        if kind.endswith("_output"):
            if is_whole:
                yield from self._answer(item)
            return
        find = self._register.closed if is_whole else self._register.opened
        entry = find(kind, event) or self._enter(kind, event)
        entry.meet(event)
        if is_whole:
            entry.told = item
            yield from entry.item.close(item)
        else:
            yield from entry.item.open(item)

    def _answer(self, output: JSON) -> Iterator[Delta]:
        call_id = as_text(output.get("call_id"))
        for entry in self._register.entries:
            if isinstance(entry.item, HostedCall) and entry.item.answers(call_id):
                yield from entry.item.answer(output)

    def _end(self, kind: str, response: JSON) -> Iterator[Delta]:
        self.id = self.id or as_text(response.get("id"))
        status = self._ending.status(kind, response)
        output = as_objects(response.get("output"))
        yield from self._fill(output)
        for entry in list(self._register.open_ones()):
            yield from entry.item.end()
        yield from self._stage.settle()
        if not any(isinstance(entry.item, FunctionCall) for entry in self._register.entries):
            yield from self._stage.excuse()
        yield from self._ending.deltas(status, response, self._register.entries)

    def _fill(self, output: list[JSON]) -> Iterator[Delta]:
        """Show what the whole response has and the events before had not."""
        for item, entry in zip(output, self._register.listed(output), strict=True):
            kind = as_text(item.get("type"))
            if kind.endswith("_output"):
                yield from self._answer(item)
                continue
            known = entry or self._enter(kind, {"item": item})
            known.told = item
            yield from known.item.close(item)

    def _message(self, event: JSON) -> Message:
        entry = self._register.of(MESSAGE, event) or self._enter(MESSAGE, event)
        assert isinstance(entry.item, Message)
        return entry.item

    def _enter(self, kind: str, event: JSON) -> Entry:
        return self._register.enter(self._new(kind), kind, event)

    def _new(self, kind: str) -> Item:
        torn: dict[str, Any] = {"torn": self._is_torn}
        if kind == MESSAGE:
            return Message(self._stage, self._files, **torn)
        if kind == REASONING:
            return Reasoning(self._stage, **torn)
        if kind == FUNCTION_CALL:
            return FunctionCall(self._stage, **torn)
        if kind == _APPROVAL:
            return Approval(self._stage)
        if kind.endswith("_call") or kind == "program":
            return HostedCall(self._stage, self._files, kind, **torn)
        return Item()
