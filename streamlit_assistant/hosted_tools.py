"""Tools that a model server executes itself: how settings and assistants name them.

The Assistants protocol knows none but the code interpreter, so they are named beside it: as words
(`web_search, image_generation`) or as a JSON list of the Responses API's own tool objects. Part of
the floor.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from streamlit_assistant.records import JSON

KINDS = ("web_search", "web_search_preview", "image_generation", "code_interpreter")
# What cannot be named by a word alone, and what it needs.
_NEEDED = {"file_search": ("vector_store_ids",), "mcp": ("server_label", "server_url")}
SHORTEST_SECRET = 8  # characters
ACCEPTED = (
    "web_search, image_generation or code_interpreter, separated by commas, or a JSON list of the "
    "Responses API's tools; file_search needs vector_store_ids, mcp a server_label and a server_url"
)


def read_hosted_tools(text: str) -> list[JSON]:
    """Return the tools a text names; raise `ValueError` saying which part of it is none."""
    if not text.strip().startswith(("[", "{")):
        words = [word.strip() for word in text.replace(",", " ").split()]
        return [_checked({"type": word}) for word in words]
    try:
        given = json.loads(text)
    except ValueError as error:
        raise ValueError(f"no JSON: {error}") from error
    return [_checked(tool) for tool in (given if isinstance(given, list) else [given])]


def without_secrets(text: str, tools: Iterable[JSON]) -> str:
    """Return a text without what the tools authorize themselves by, should it stand there."""
    for secret in sorted({s for tool in tools for s in _secrets(tool)}, key=len, reverse=True):
        text = text.replace(secret, "…")
    return text


def _secrets(tool: JSON) -> Iterator[str]:
    headers = tool.get("headers")
    values = list(headers.values()) if isinstance(headers, dict) else []
    for value in [tool.get("authorization"), *values]:
        # `Bearer` and other short words may stand in any text.
        words = value.split() if isinstance(value, str) else ()
        yield from (word for word in words if len(word) >= SHORTEST_SECRET)


def _checked(tool: Any) -> JSON:
    if not isinstance(tool, dict) or not isinstance(tool.get("type"), str):
        raise ValueError("a tool is an object with a type")  # not shown: keys may stand in it
    kind = tool["type"]
    if kind not in KINDS and kind not in _NEEDED:
        raise ValueError(f"'{kind[:40]}' is not known")
    for name in _NEEDED.get(kind, ()):
        if not tool.get(name):
            raise ValueError(f"'{kind}' lacks {name}")
    if kind == "code_interpreter":
        tool = {"container": {"type": "auto"}, **tool}
    if kind == "mcp":
        # Nobody is there who could approve a call while the answer is being written.
        tool = {**tool, "require_approval": "never"}
    return dict(tool)
