"""What servers tell of a model in words of their own, beside the list.

What counts is the model as it is loaded: a prompt that is longer some servers cut without a word.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from streamlit_assistant.providers.candidates import JSON_SCHEMA, TOOLS, VISION
from streamlit_assistant.providers.chat.dialects import LLAMA_CPP, LM_STUDIO, OLLAMA, Dialect
from streamlit_assistant.records import JSON

_NUM_CTX = re.compile(r'^num_ctx\s+"?(\d{1,12})\b', re.MULTILINE)


@dataclass(frozen=True)
class Facts:
    """What is told of a model. `is_loaded` False: it may hold less once it is loaded."""

    context_tokens: int | None = None
    capabilities: frozenset[str] | None = None
    is_loaded: bool = True


# Asks the server for a path below its root; with a body, if there is one. None: it has no answer.
Ask = Callable[[str, JSON | None], Awaitable[Any]]
Reader = Callable[[Ask, str], Awaitable[Facts | None]]


def reader_for(dialect: Dialect) -> Reader | None:
    """Return how to ask a server of this kind; None: there is nothing more to be asked."""
    return _READERS.get(dialect.name)


async def _of_ollama(ask: Ask, model: str) -> Facts | None:
    shown, running = await asyncio.gather(ask("api/show", {"model": model}), ask("api/ps", None))
    loaded = _loaded(running, model)
    if loaded is None and not isinstance(shown, dict):
        return None
    shown = _mapping(shown)
    told = shown.get("capabilities")
    return Facts(
        _least(_trained(shown), _wanted(shown), _positive(_mapping(loaded).get("context_length"))),
        _of_words(told) if isinstance(told, list) else None,
        loaded is not None,
    )


async def _of_llama_cpp(ask: Ask, model: str) -> Facts | None:
    # One that serves several models loads the one that is asked about, unless it is told not to.
    props = await ask(f"props?{urlencode({'model': model, 'autoload': 'false'})}", None)
    if not isinstance(props, dict):
        return None
    sees = _mapping(props.get("modalities")).get("vision")
    slot = _mapping(props.get("default_generation_settings"))
    return Facts(
        _positive(slot.get("n_ctx")),  # what one answer has, not all of them together
        # It finds the calls of any model; which of them make good ones it cannot tell.
        _gifts(tools=True, vision=sees) if isinstance(sees, bool) else None,
    )


async def _of_lm_studio(ask: Ask, model: str) -> Facts | None:
    listed = _mapping(await ask("api/v0/models", None)).get("data")
    found = _named(listed, model, ("id",))
    if found is None:
        return None
    loaded = _positive(found.get("loaded_context_length"))
    kind, words = found.get("type"), found.get("capabilities")
    sees = kind == "vlm" or (isinstance(words, list) and "vision" in words)
    return Facts(
        loaded or _positive(found.get("max_context_length")),
        # `tool_use` is said only of those that do it best.
        _gifts(tools=True, vision=sees) if kind in ("llm", "vlm") else None,
        loaded is not None or found.get("state") == "loaded",
    )


_READERS: Mapping[str, Reader] = {
    OLLAMA.name: _of_ollama,
    LLAMA_CPP.name: _of_llama_cpp,
    LM_STUDIO.name: _of_lm_studio,
}


def _loaded(running: Any, model: str) -> JSON | None:
    """Return the model as it is loaded, None if it is not."""
    return _named(_mapping(running).get("models"), model, ("model", "name"))


def _trained(shown: JSON) -> int | None:
    """Return how much the model was made for; the name of the field begins with the model's."""
    info = _mapping(shown.get("model_info")).items()
    return _least(*(_positive(value) for name, value in info if name.endswith(".context_length")))


def _wanted(shown: JSON) -> int | None:
    """Return how much whoever made the model wants it to be loaded with."""
    parameters = shown.get("parameters")
    found = _NUM_CTX.search(parameters) if isinstance(parameters, str) else None
    return _positive(int(found[1])) if found else None


def _of_words(told: Iterable[Any]) -> frozenset[str]:
    return _gifts(tools="tools" in told, vision="vision" in told)


def _gifts(*, tools: bool, vision: bool) -> frozenset[str]:
    # All of these servers let a model write only what a schema allows.
    has = {TOOLS: tools, VISION: vision, JSON_SCHEMA: True}
    return frozenset(name for name, is_there in has.items() if is_there)


def _named(listed: Any, model: str, fields: Iterable[str]) -> JSON | None:
    # Ollama answers without the tag to what it lists with it.
    names = (model, f"{model}:latest")
    items = (item for item in listed if isinstance(item, dict)) if isinstance(listed, list) else ()
    return next((item for item in items if any(item.get(field) in names for field in fields)), None)


def _mapping(value: Any) -> JSON:
    return value if isinstance(value, dict) else {}


def _positive(value: Any) -> int | None:
    return value if type(value) is int and value > 0 else None


def _least(*numbers: int | None) -> int | None:
    return min((number for number in numbers if number is not None), default=None)
