"""Chat Completions as real model servers write them: the chunks and the whole answers."""

import json
from collections.abc import Iterator, Sequence

from tests.upstream_scripts import Answer, Ending
from tests.upstream_wire import (
    CREATED,
    DONE,
    JSON,
    PIECE_OF_ARGUMENTS,
    Call,
    frame_of,
)

PIECE_OF_TAG = 3  # characters


class ChatWire:
    """Writes one answer in a dialect."""

    def __init__(self, answer: Answer, request: JSON, number: int) -> None:
        self._answer = answer
        self._dialect = answer.dialect
        self._request = request
        self._number = number
        self._said = 0  # tokens
        self._tagged = False  # a tag of thoughts is open in the text

    def opening(self) -> bytes:
        """Return what comes before the first token."""
        dialect = self._dialect
        parts = [f": {dialect.comment}\n\n".encode()] if dialect.comment else []
        if dialect.prelude is not None:
            parts.append(self._frame(self._chunk([]) | dialect.prelude | {"id": ""}))
        if dialect.first_delta is not None:
            parts.append(self._frame(self._chunk([self._choice(dialect.first_delta)])))
        return b"".join(parts)

    def token(self, text: str) -> bytes:
        """Return the frame of a piece of the answer."""
        self._said += 1
        return self._close_tag() + self._delta({"content": text})

    def refused(self, text: str) -> bytes:
        """Return the frame of a piece of a refusal."""
        self._said += 1
        return self._close_tag() + self._delta({"refusal": text})

    def thought(self, text: str) -> bytes:
        """Return the frame of a piece of the model's thinking."""
        self._said += 1
        dialect = self._dialect
        if dialect.tags:
            opened = b"" if self._tagged else self._tag(dialect.tags[0])
            self._tagged = True
            return opened + self._delta({"content": text})
        delta: JSON = {"content": ""} if dialect.every_delta else {}
        delta[dialect.reasoning_field] = text
        if dialect.reasoning_details:
            delta["reasoning_details"] = [
                {"type": "reasoning.text", "text": text, "format": "unknown", "index": 0}
            ]
        return self._delta(delta)

    def item(self, _item: object) -> bytes:
        """Return nothing: this API has no such output."""
        return b""

    def annotations(self, annotations: Sequence[JSON]) -> bytes:
        """Return the frame of what the answer refers to."""
        return self._delta({"annotations": list(annotations)}) if annotations else b""

    def strange(self, data: JSON) -> bytes:
        """Return a frame that no client has been told of."""
        return self._frame(data)

    def calls(self, calls: Sequence[Call]) -> Iterator[bytes]:
        """Yield the frames of function calls, in pieces unless the server sends them whole."""
        if calls:
            yield self._close_tag()
        for place, call in enumerate(calls):
            number = {"place": {"index": place}, "zero": {"index": 0}}.get(
                self._dialect.numbering, {}
            )
            opened = {**number, **self._call_head(place, call)}
            if self._dialect.whole_calls:
                yield self._call(opened, {"name": call.name, **self._arguments(call)})
                continue
            yield self._call(opened, {"name": call.name, "arguments": ""})
            for start in range(0, len(call.arguments), PIECE_OF_ARGUMENTS):
                piece = call.arguments[start : start + PIECE_OF_ARGUMENTS]
                yield self._call(number, {"arguments": piece})

    def ending(self) -> Iterator[bytes]:
        """Yield the last frames."""
        answer = self._answer
        match answer.ending:
            case Ending.PROPER:
                yield self._close_tag() + self.finish()
                yield self._usage_frame() + DONE
            case Ending.NO_FINISH:
                yield self._close_tag() + DONE
            case Ending.ERROR:
                yield self._error({"error": answer.error})
            case Ending.FLAT_ERROR:
                yield self._error({"object": "error", **answer.error})
            case Ending.FAILED:
                choice = self._choice({"content": ""}, "error")
                yield self._frame(self._chunk([choice]) | {"error": answer.error}) + DONE
            case Ending.BROKEN_JSON:
                lost = self.token("lost").replace(b"lost", b'lost"')
                yield lost[:-20] + b"\n\n"

    def finish(self) -> bytes:
        """Return the frame that says why the answer ends."""
        chunk = self._chunk([self._choice(self._dialect.last_delta, self._reason())])
        if self._dialect.usage == "with finish":
            chunk["usage"] = self._usage()
        return self._frame(chunk)

    def whole(self) -> JSON:
        """Return the answer as the one body of a request that does not stream."""
        answer = self._answer
        thoughts = "".join(answer.thoughts)
        message: JSON = {"role": "assistant", "content": answer.text or None}
        if self._dialect.tags:
            message["content"] = f"{thoughts.join(self._dialect.tags)}{answer.text}"
        elif thoughts:
            message[self._dialect.reasoning_field] = thoughts
        if answer.refusal:
            message["refusal"] = "".join(answer.refusal)
        if answer.calls:
            message["tool_calls"] = [
                self._call_head(place, call)
                | {"function": {"name": call.name, **self._arguments(call)}}
                for place, call in enumerate(answer.calls)
            ]
        self._said = answer.length
        choice = {"index": 0, "message": message, "finish_reason": self._reason()}
        body = {**self._head("chat.completion"), "choices": [choice | self._dialect.every_choice]}
        failed = answer.ending in (Ending.ERROR, Ending.FAILED)
        return body | ({"error": answer.error} if failed else {"usage": self._usage()})

    def _reason(self) -> str:
        answer, dialect = self._answer, self._dialect
        if not answer.calls or answer.reason != "stop":
            return answer.reason
        named = isinstance(self._request.get("tool_choice"), dict)
        return (dialect.named_call_finish if named else None) or dialect.calls_finish

    def _tag(self, tag: str) -> bytes:
        pieces = [tag[start : start + PIECE_OF_TAG] for start in range(0, len(tag), PIECE_OF_TAG)]
        return b"".join(self._delta({"content": piece}) for piece in pieces)

    def _close_tag(self) -> bytes:
        if not self._tagged or not self._dialect.tags:
            return b""
        self._tagged = False
        return self._tag(self._dialect.tags[1])

    def _call_head(self, place: int, call: Call) -> JSON:
        made = self._dialect.call_id.format(number=self._number, place=place, name=call.name)
        call_id = made if call.id is None else call.id
        named = {"id": call_id} if call_id else {}
        return {**named, "type": "function", **self._dialect.call_extra}

    def _arguments(self, call: Call) -> JSON:
        if self._dialect.object_arguments:
            return {"arguments": json.loads(call.arguments)}
        return {"arguments": call.arguments}

    def _call(self, call: JSON, function: JSON) -> bytes:
        return self._delta({"tool_calls": [{**call, "function": function}]})

    def _error(self, data: JSON) -> bytes:
        return frame_of(data, "error" if self._dialect.names_errors else None)

    def _delta(self, delta: JSON) -> bytes:
        chunk = self._chunk([self._choice(self._dialect.every_delta | delta)])
        if self._dialect.usage == "each chunk":
            chunk["usage"] = self._usage()
        return self._frame(chunk)

    def _choice(self, delta: JSON, reason: str | None = None) -> JSON:
        return {"index": 0, "delta": delta, "finish_reason": reason, **self._dialect.every_choice}

    def _chunk(self, choices: list[JSON]) -> JSON:
        return {**self._head("chat.completion.chunk"), "choices": choices}

    def _head(self, kind: str) -> JSON:
        return {
            "id": f"chatcmpl-{self._number}",
            "object": kind,
            "created": CREATED,
            "model": self._answer.model or self._request.get("model"),
            **self._dialect.every_chunk,
        }

    def _usage_frame(self) -> bytes:
        asked = (self._request.get("stream_options") or {}).get("include_usage")
        wanted = self._dialect.usage in ("always", "each chunk") or (
            self._dialect.usage == "asked" and asked
        )
        if not wanted:
            return b""
        choices = [self._choice(self._dialect.last_delta)] if self._dialect.usage_has_choice else []
        return self._frame(self._chunk(choices) | {"usage": self._usage()})

    def _usage(self) -> JSON:
        messages = self._request.get("messages") or []
        prompt_tokens = sum(len(str(message.get("content")).split()) for message in messages)
        usage: JSON = {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": self._said,
            "total_tokens": prompt_tokens + self._said,
        }
        if self._answer.cached:
            usage["prompt_tokens_details"] = {"cached_tokens": self._answer.cached}
        if self._answer.reasoned:
            usage["completion_tokens_details"] = {"reasoning_tokens": self._answer.reasoned}
        return usage

    def _frame(self, data: JSON) -> bytes:
        return frame_of(data, compact=self._dialect.compact)
