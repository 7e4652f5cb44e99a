"""What `GET /models` says: servers tell more or less of each model, in their own words."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from streamlit_assistant.providers.candidates import FILES, JSON_SCHEMA, TOOLS, VISION
from streamlit_assistant.providers.upstream import ModelInfo
from streamlit_assistant.records import JSON

# OpenRouter and most others, vLLM, LM Studio.
_CONTEXT_FIELDS = ("context_length", "max_model_len", "max_context_length")
# What LM Studio, Mistral, llama.cpp and Ollama call it.
_MEANS = {
    TOOLS: {"tools", "tool_use", "trained_for_tool_use", "function_calling", "tool_calling"},
    VISION: {"vision", "multimodal", "image", "images"},
    FILES: {"file", "files"},
}


def read_models(body: Any) -> list[ModelInfo]:
    """Return the models of a list; raise `ValueError` for what is none."""
    listed = body.get("data") if isinstance(body, dict) else None
    if not isinstance(listed, list):
        raise ValueError("not a list of models")
    return [
        _model(item)
        for item in listed
        if isinstance(item, dict) and isinstance(item.get("id"), str)
    ]


def _model(item: JSON) -> ModelInfo:
    created, owned_by = item.get("created"), item.get("owned_by")
    return ModelInfo(
        item["id"],
        created if isinstance(created, int) else 0,
        owned_by if isinstance(owned_by, str) and owned_by else "upstream",
        next((item[name] for name in _CONTEXT_FIELDS if type(item.get(name)) is int), None),
        _day(item.get("shutdown_date")),
        _capabilities(item),
    )


def _day(value: object) -> str | None:
    try:
        return date.fromisoformat(value).isoformat() if isinstance(value, str) else None
    except ValueError:
        return None


def _capabilities(item: JSON) -> frozenset[str] | None:
    """Return what a model can do, None where the list does not tell.

    What the list does not speak of counts as there: it is better tried than withheld.
    """
    parameters, told = item.get("supported_parameters"), item.get("capabilities")
    if isinstance(parameters, list):  # OpenRouter
        architecture = item.get("architecture")
        inputs = architecture.get("input_modalities") if isinstance(architecture, dict) else None
        return _of_openrouter(_words(parameters), _words(inputs))
    if isinstance(told, Mapping):  # Mistral; LM Studio of late
        return frozenset(name for name in (TOOLS, VISION) if not _denied(told, name)) | {
            JSON_SCHEMA
        }
    if isinstance(told, list):  # LM Studio: `tool_use` is said of those that do it best
        sees = _words(told) & _MEANS[VISION] or item.get("type") == "vlm"
        return frozenset({TOOLS, JSON_SCHEMA, VISION} if sees else {TOOLS, JSON_SCHEMA})
    return None


def _of_openrouter(parameters: set[str], inputs: set[str]) -> frozenset[str]:
    found = {TOOLS} & parameters
    if "structured_outputs" in parameters:
        found.add(JSON_SCHEMA)
    if "image" in inputs or not inputs:
        found.add(VISION)
    if "file" in inputs:
        found.add(FILES)
    return frozenset(found)


def _denied(told: Mapping[str, object], name: str) -> bool:
    said = [told[word] for word in _MEANS[name] if word in told]
    return bool(said) and not any(said)


def _words(values: object) -> set[str]:
    return {v for v in values if isinstance(v, str)} if isinstance(values, list) else set()
