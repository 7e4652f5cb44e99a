"""What an answer of the Responses API may hold beside text: the tools that its server has used."""

import base64
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from types import MappingProxyType

from tests.upstream_wire import JSON, PIECE_OF_ARGUMENTS

Step = tuple[str, JSON]  # the name of an event and what is in it


@dataclass(frozen=True)
class Item:
    """One output item: as it is announced, the events after that, and what it is at last.

    `prefix` is how its id begins. `on_request` is what the end has more, by what a request must say
    in `include`.
    """

    prefix: str
    begun: JSON
    steps: Sequence[Step]
    ended: JSON
    on_request: Mapping[str, JSON] = field(default_factory=lambda: MappingProxyType({}))

    def end(self, include: Set[str]) -> JSON:
        """Return what it is at last for a request that includes these."""
        ended = {**self.begun, **self.ended}
        for name, more in self.on_request.items():
            ended |= more if name in include else {}
        return ended


def web_search(query: str, sources: Sequence[str] = (), status: str = "completed") -> Item:
    """A search on the web."""
    kind = "web_search_call"
    action: JSON = {"type": "search", "query": query, "queries": [query]}
    shown = [{"type": "url", "url": url} for url in sources]
    return Item(
        "ws",
        {"type": kind, "status": "in_progress", "action": {"type": "search"}},
        _stages(kind, "in_progress", "searching", "completed"),
        {"status": status, "action": action},
        {"web_search_call.action.sources": {"action": {**action, "sources": shown}}},
    )


def mcp_tools(server: str, tools: Sequence[str] = (), error: str | None = None) -> Item:
    """A remote server says which tools it has, or cannot."""
    kind = "mcp_list_tools"
    listed = [{"name": name, "input_schema": {"type": "object"}} for name in tools]
    return Item(
        "mcpl",
        {"type": kind, "server_label": server, "tools": []},
        _stages(kind, "in_progress", "failed" if error else "completed"),
        {"tools": listed, "error": error},
    )


def mcp_call(
    server: str, name: str, arguments: str, output: str | None = None, error: str | None = None
) -> Item:
    """A tool of a remote server is called."""
    kind, outcome = "mcp_call", "failed" if error else "completed"
    begun = {"type": kind, "server_label": server, "name": name, "arguments": ""}
    reported = {"type": "http_error", "code": 502, "message": error} if error else None
    return Item(
        "mcp",
        {**begun, "output": None, "error": None, "status": "in_progress"},
        [
            *_stages(kind, "in_progress"),
            *_written("response.mcp_call_arguments", "arguments", arguments),
            *_stages(kind, outcome),
        ],
        {"arguments": arguments, "output": output, "error": reported, "status": outcome},
    )


def image_drawn(image: bytes, prompt: str = "A cat", partials: int = 0) -> Item:
    """An image is made."""
    kind, encoded = "image_generation_call", base64.b64encode(image).decode()
    made = {"output_format": "png", "revised_prompt": prompt, "size": "1024x1024"}
    drafts: list[Step] = [
        (
            f"response.{kind}.partial_image",
            {"partial_image_b64": encoded, "partial_image_index": index},
        )
        for index in range(partials)
    ]
    return Item(
        "ig",
        {"type": kind, "status": "in_progress", "result": None},
        [*_stages(kind, "in_progress", "generating"), *drafts, *_stages(kind, "completed")],
        {**made, "status": "completed", "result": encoded},
    )


def image_not_drawn() -> Item:
    """An image could not be made."""
    kind = "image_generation_call"
    return Item(
        "ig",
        {"type": kind, "status": "in_progress", "result": None},
        _stages(kind, "in_progress", "generating"),
        {"status": "failed"},
    )


def code_run(
    code: str,
    logs: Sequence[str] = (),
    images: Sequence[str] = (),
    container: str = "cntr_1",
    status: str = "completed",
) -> Item:
    """A program is written and executed; `images` are addresses."""
    kind = "code_interpreter_call"
    begun = {"type": kind, "container_id": container, "status": "in_progress"}
    outputs = [
        *({"type": "logs", "logs": text} for text in logs),
        *({"type": "image", "url": url} for url in images),
    ]
    return Item(
        "ci",
        {**begun, "code": "", "outputs": None},
        [
            *_stages(kind, "in_progress"),
            *_written("response.code_interpreter_call_code", "code", code),
            *_stages(kind, "interpreting", "completed"),
        ],
        {"code": code, "status": status},
        {"code_interpreter_call.outputs": {"outputs": outputs}},
    )


def files_searched(queries: Sequence[str], results: Sequence[JSON] = ()) -> Item:
    """A search in the server's own vector stores."""
    kind = "file_search_call"
    return Item(
        "fs",
        {"type": kind, "status": "in_progress", "queries": [], "results": None},
        _stages(kind, "in_progress", "searching", "completed"),
        {"status": "completed", "queries": list(queries)},
        {"file_search_call.results": {"results": list(results)}},
    )


def strange_item(kind: str = "dream_call") -> Item:
    """An item of a kind that no client has been told of."""
    return Item("dr", {"type": kind, "status": "in_progress"}, _stages(kind, "dreaming"), {})


def said_before(text: str, phase: str | None = None, annotations: Sequence[JSON] = ()) -> Item:
    """A message before the last one; it comes in one piece."""
    head: JSON = {"type": "message", "role": "assistant", "status": "in_progress", "content": []}
    part: JSON = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    done = {**part, "text": text, "annotations": list(annotations)}
    place: JSON = {"content_index": 0}
    notes: list[Step] = [
        (
            "response.output_text.annotation.added",
            {**place, "annotation_index": index, "annotation": annotation},
        )
        for index, annotation in enumerate(annotations)
    ]
    return Item(
        "msg",
        head | ({"phase": phase} if phase else {}),
        [
            ("response.content_part.added", {**place, "part": part}),
            ("response.output_text.delta", {**place, "delta": text, "logprobs": []}),
            *notes,
            ("response.output_text.done", {**place, "text": text, "logprobs": []}),
            ("response.content_part.done", {**place, "part": done}),
        ],
        {"status": "completed", "content": [done]},
    )


def _stages(kind: str, *stages: str) -> list[Step]:
    return [(f"response.{kind}.{stage}", {}) for stage in stages]


def _written(event: str, field_name: str, text: str) -> list[Step]:
    deltas: list[Step] = [(f"{event}.delta", {"delta": piece}) for piece in pieces(text)]
    return [*deltas, (f"{event}.done", {field_name: text})]


def pieces(text: str) -> list[str]:
    """Return arguments as they are streamed."""
    places = range(0, len(text), PIECE_OF_ARGUMENTS)
    return [text[start : start + PIECE_OF_ARGUMENTS] for start in places]
