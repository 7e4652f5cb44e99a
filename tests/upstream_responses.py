"""The Responses API as real model servers write it: the events of a stream and the whole answer."""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any

from tests.upstream_growing import Growing
from tests.upstream_items import Item, pieces
from tests.upstream_scripts import Answer, Ending
from tests.upstream_wire import CREATED, DONE, JSON, Call, frame_of

# What events of a server that does not number them lack as well.
_NUMBERS = {"sequence_number", "output_index", "content_index", "summary_index", "logprobs"}
_ECHOED: JSON = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "reasoning": {"effort": None, "summary": None},
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1.0,
    "truncation": "disabled",
}


class ResponsesWire:
    """Writes one answer in a server's manner; `response` is what is written so far."""

    def __init__(self, answer: Answer, request: JSON, number: int) -> None:
        self._answer = answer
        self._manner = answer.dialect.responses
        self._request = request
        self._number = number
        self._include = set(request.get("include") or ())
        self._output: list[JSON] = []
        self._growing: Growing | None = None
        self._events = 0
        self._said = 0  # tokens
        self._outcome: JSON = {"status": "in_progress"}

    @property
    def id(self) -> str:
        """By which the answer is asked for again."""
        return f"resp_{self._number}"

    @property
    def items(self) -> Sequence[JSON]:
        """What is written so far."""
        return self._output

    def response(self, **changed: Any) -> JSON:
        """Return the answer as it is now."""
        echoed: JSON = {}
        if self._manner.numbered:  # who does not say much says nothing of the request either
            given = {name: value for name, value in self._request.items() if name in _ECHOED}
            echoed = {"error": None, "incomplete_details": None, **_ECHOED, **given}
        head = {"id": self.id, "object": "response", "created_at": CREATED}
        model = self._answer.model or self._request.get("model")
        said = {"model": model, "output": deepcopy(self._output), "usage": None}
        return {**head, **said, **echoed, **self._outcome, **changed}

    def cancel(self) -> JSON:
        """Note that nothing more comes, and return the answer as it stays."""
        self._outcome = {"status": "cancelled"}
        return self.response()

    def opening(self) -> bytes:
        """Return what comes before the first token."""
        kinds = ["created", "in_progress"]
        if self._manner.opens_twice and self._request.get("tools"):
            kinds *= 2
        if self._request.get("background"):
            kinds.insert(1, "queued")
        events = [
            self._event(f"response.{kind}", response=self.response(status=_status(kind, kinds)))
            for kind in kinds
        ]
        return b"".join(events)

    def token(self, text: str) -> bytes:
        """Return the events of a piece of the answer."""
        return self._grow("message", "output_text", text)

    def refused(self, text: str) -> bytes:
        """Return the events of a piece of a refusal."""
        return self._grow("message", "refusal", text)

    def thought(self, text: str) -> bytes:
        """Return the events of a piece of the model's thinking."""
        kind = "reasoning_text" if self._manner.thinks_aloud else "summary_text"
        return self._grow("reasoning", kind, text)

    def annotations(self, annotations: Sequence[JSON]) -> bytes:
        """Return the events of what the answer refers to."""
        assert self._growing or not annotations, "annotations need a text"
        return b"".join(
            self._growing.annotate(place, annotation)
            for place, annotation in enumerate(annotations)
            if self._growing
        )

    def item(self, item: Item) -> bytes:
        """Return the events of something that the server has done."""
        closed, index = self._close(), len(self._output)
        named = {"id": f"{item.prefix}_{self._number}_{index}"}
        of_item = {"item_id": named["id"], "output_index": index}
        begun, ended = {**named, **item.begun}, {**named, **item.end(self._include)}
        self._output.append(ended)
        events = [
            self._event("response.output_item.added", output_index=index, item=begun),
            *(self._event(kind, **of_item, **data) for kind, data in item.steps),
            self._event("response.output_item.done", output_index=index, item=ended),
        ]
        return closed + b"".join(events)

    def strange(self, data: JSON) -> bytes:
        """Return an event that no client has been told of."""
        return self._event(data["type"], **{k: v for k, v in data.items() if k != "type"})

    def calls(self, calls: Sequence[Call]) -> Iterator[bytes]:
        """Yield the events of function calls."""
        if calls:
            yield self._close()
        for place, call in enumerate(calls):
            yield from self._call(place, call)

    def _call(self, place: int, call: Call) -> Iterator[bytes]:
        index = len(self._output)
        made = self._answer.dialect.call_id
        call_id = call.id or made.format(number=self._number, place=place, name=call.name)
        item = {"type": "function_call", "call_id": call_id, "name": call.name, "arguments": ""}
        item_id = f"fc_{self._number}_{index}"
        if self._manner.names_calls:
            item["id"] = item_id
        begun = {**item, "status": "in_progress"}
        yield self._event("response.output_item.added", output_index=index, item=begun)
        of_item: JSON = {"item_id": item_id, "output_index": index}
        kind, whole = "response.function_call_arguments", self._manner.whole_calls
        for piece in [call.arguments] if whole else pieces(call.arguments):
            yield self._event(f"{kind}.delta", **of_item, delta=piece)
        if self._manner.numbered:
            yield self._event(f"{kind}.done", **of_item, arguments=call.arguments, name=call.name)
        ended = {**item, "arguments": call.arguments, "status": "completed"}
        self._output.append(ended)
        yield self._event("response.output_item.done", output_index=index, item=ended)

    def ending(self) -> Iterator[bytes]:
        """Yield the last events."""
        error = dict(self._answer.error)
        match self._answer.ending:
            case Ending.PROPER:
                yield self._finish()
            case Ending.ERROR:
                yield self._event("error", error=error)
            case Ending.FLAT_ERROR:
                error.pop("type", None)
                yield self._event("error", **{"code": None, "message": "", "param": None} | error)
            case Ending.FAILED:
                self._outcome = {"status": "failed", "error": error}
                yield self._event("response.failed", response=self.response())
            case Ending.BROKEN_JSON:
                lost = self.token("lost").replace(b'"lost"', b'"lost""')
                yield lost[:-20] + b"\n\n"

    def whole(self) -> JSON:
        """Return the answer as the one body of a request that does not stream."""
        answer = self._answer
        written = [
            *map(self.thought, answer.thoughts),
            *map(self.item, answer.items),
            *(self.token(token) for token in answer.tokens if isinstance(token, str)),
            *map(self.refused, answer.refusal),
            self.annotations(answer.annotations),
            *self.calls(answer.calls),
            *self.ending(),
        ]
        assert written  # only what it leads to is of interest
        return self.response()

    def _finish(self) -> bytes:
        reason = self._answer.reason
        cut = reason != "stop" and self._manner.says_cut
        closed = self._close("incomplete" if cut else "completed")
        self._outcome = {"status": "completed", "completed_at": CREATED + 1}
        if cut:
            details = {"reason": "max_output_tokens" if reason == "length" else reason}
            self._outcome = {"status": "incomplete", "incomplete_details": details}
        self._outcome["usage"] = self._usage()
        last = self._event(f"response.{self._outcome['status']}", response=self.response())
        return closed + last + (DONE if self._manner.ends_with_done else b"")

    def _usage(self) -> JSON:
        prompt = len(str(self._request.get("input")).split())
        usage: JSON = {"input_tokens": prompt, "output_tokens": self._said}
        if self._manner.counts_details:
            cached = {"cached_tokens": self._answer.cached, "cache_write_tokens": 0}
            usage["input_tokens_details"] = cached
            usage["output_tokens_details"] = {"reasoning_tokens": self._answer.reasoned}
        return {**usage, "total_tokens": prompt + self._said}

    def _grow(self, item_type: str, kind: str, text: str) -> bytes:
        self._said += 1
        begun = b""
        if self._growing is None or self._growing.item["type"] != item_type:
            begun = self._close() + self._begin(item_type)
        assert self._growing is not None
        return begun + self._growing.add(kind, text)

    def _begin(self, item_type: str) -> bytes:
        index = len(self._output)
        if item_type == "message":
            item: JSON = {"id": f"msg_{self._number}_{index}", "type": "message", "content": []}
            item |= {"role": "assistant", "status": "in_progress"}
        else:
            item = {"id": f"rs_{self._number}_{index}", "type": "reasoning", "summary": []}
        self._output.append(item)
        self._growing = Growing(self._event, item, index)
        return self._growing.begin()

    def _close(self, status: str = "completed") -> bytes:
        growing, self._growing = self._growing, None
        if growing is None:
            return b""
        if growing.item["type"] == "message":
            return growing.end(status=status)
        if "reasoning.encrypted_content" in self._include:
            return growing.end(encrypted_content=f"encrypted {growing.item['id']}")
        return growing.end()

    def _event(self, kind: str, **data: Any) -> bytes:
        event = {"type": kind, "sequence_number": self._events, **data}
        self._events += 1
        if not self._manner.numbered:
            event = {name: value for name, value in event.items() if name not in _NUMBERS}
        named = kind if self._manner.names_events else None
        return frame_of(event, named, compact=self._answer.dialect.compact)


def _status(kind: str, kinds: Sequence[str]) -> str:
    return "queued" if "queued" in kinds and kind != "in_progress" else "in_progress"
