"""Chunks of chat completions that no server of today writes, put together by hand."""

from tests.upstream_wire import JSON


def chunk(delta: JSON, reason: str | None = None, **more: object) -> JSON:
    """Return one chunk."""
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return {"id": "c", "object": "chat.completion.chunk", "choices": [choice], **more}


def call_piece(arguments: object, **head: object) -> JSON:
    """Return a chunk with a piece of a call; `name` is the function's, the rest the call's."""
    function: JSON = {"arguments": arguments}
    if "name" in head:
        function["name"] = head.pop("name")
    return chunk({"tool_calls": [{**head, "function": function}]})
