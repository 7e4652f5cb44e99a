"""The protocol's objects as JSON: one function an object, the only place that spells them.

It stands on the floor beside the records, because a run's stored events carry the same objects
as the endpoints' answers. Shapes: the Assistants API v2 of OpenAI's published specification,
with the fields the hosted service added (`tool_resources`, `reasoning_effort`).
"""

from collections.abc import Callable, Sequence
from typing import Any

from streamlit_assistant.records import (
    JSON,
    Assistant,
    Message,
    Page,
    Run,
    RunStep,
    T,
    Thread,
)

DEFAULT_TEMPERATURE = 1.0
DEFAULT_TOP_P = 1.0


def assistant(record: Assistant) -> JSON:
    """Return the `assistant` object."""
    return {
        "id": record.id,
        "object": "assistant",
        "created_at": record.created_at,
        "name": record.name,
        "description": record.description,
        "model": record.model,
        "instructions": record.instructions,
        "tools": list(record.tools),
        "tool_resources": record.tool_resources,
        "metadata": dict(record.metadata),
        "temperature": _or(record.temperature, DEFAULT_TEMPERATURE),
        "top_p": _or(record.top_p, DEFAULT_TOP_P),
        "response_format": record.response_format,
        "reasoning_effort": record.reasoning_effort,
    }


def thread(record: Thread) -> JSON:
    """Return the `thread` object."""
    return {
        "id": record.id,
        "object": "thread",
        "created_at": record.created_at,
        "metadata": dict(record.metadata),
        "tool_resources": record.tool_resources,
    }


def listed_thread(record: Thread) -> JSON:
    """Return a thread as the list extension shows it: with its title and last activity."""
    return {
        **thread(record),
        "title": record.title,
        "last_active_at": record.last_active_at,
    }


def message(record: Message) -> JSON:
    """Return the `thread.message` object."""
    reason = record.incomplete_reason
    return {
        "id": record.id,
        "object": "thread.message",
        "created_at": record.created_at,
        "thread_id": record.thread_id,
        "status": record.status.value,
        "incomplete_details": {"reason": reason} if reason else None,
        "completed_at": record.completed_at,
        "incomplete_at": record.incomplete_at,
        "role": record.role,
        "content": list(record.content),
        "assistant_id": record.assistant_id,
        "run_id": record.run_id,
        "attachments": list(record.attachments),
        "metadata": dict(record.metadata),
    }


def message_delta(message_id: str, part: JSON) -> JSON:
    """Return the `thread.message.delta` object that changes one content part."""
    return {
        "id": message_id,
        "object": "thread.message.delta",
        "delta": {"content": [part]},
    }


def run(record: Run) -> JSON:
    """Return the `thread.run` object."""
    return {
        "id": record.id,
        "object": "thread.run",
        "created_at": record.created_at,
        "thread_id": record.thread_id,
        "assistant_id": record.assistant_id,
        "status": record.status.value,
        "required_action": record.required_action,
        "last_error": record.last_error,
        "expires_at": record.expires_at,
        "started_at": record.started_at,
        "cancelled_at": record.cancelled_at,
        "failed_at": record.failed_at,
        "completed_at": record.completed_at,
        "incomplete_details": record.incomplete_details,
        "model": record.model,
        "instructions": record.instructions,
        "tools": list(record.tools),
        "tool_resources": {},
        "metadata": dict(record.metadata),
        "usage": record.usage,
        "temperature": _or(record.temperature, DEFAULT_TEMPERATURE),
        "top_p": _or(record.top_p, DEFAULT_TOP_P),
        "max_prompt_tokens": record.max_prompt_tokens,
        "max_completion_tokens": record.max_completion_tokens,
        "truncation_strategy": {"last_messages": None, **record.truncation_strategy},
        "tool_choice": record.tool_choice,
        "parallel_tool_calls": record.parallel_tool_calls,
        "response_format": record.response_format,
        "reasoning_effort": record.reasoning_effort,
    }


def run_step(record: RunStep) -> JSON:
    """Return the `thread.run.step` object."""
    return {
        "id": record.id,
        "object": "thread.run.step",
        "created_at": record.created_at,
        "assistant_id": record.assistant_id,
        "thread_id": record.thread_id,
        "run_id": record.run_id,
        "type": record.type,
        "status": record.status.value,
        "step_details": record.step_details,
        "last_error": record.last_error,
        "expired_at": record.expired_at,
        "cancelled_at": record.cancelled_at,
        "failed_at": record.failed_at,
        "completed_at": record.completed_at,
        "metadata": dict(record.metadata),
        "usage": record.usage,
    }


def model(model_id: str, created: int, owned_by: str) -> JSON:
    """Return the `model` object."""
    return {"id": model_id, "object": "model", "created": created, "owned_by": owned_by}


def page(found: Page[T], render: Callable[[T], JSON]) -> JSON:
    """Return a `list` object with its cursors."""
    return listing([render(item) for item in found.items], found.has_more)


def listing(data: Sequence[JSON], has_more: bool) -> JSON:
    """Return a `list` object of rendered items."""
    return {
        "object": "list",
        "data": list(data),
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": has_more,
    }


def models(data: Sequence[JSON]) -> JSON:
    """Return the list of models, which has no cursors."""
    return {"object": "list", "data": list(data)}


def deleted(object_id: str, kind: str) -> JSON:
    """Return the answer to a deletion, e.g. kind `assistant` gives `assistant.deleted`."""
    return {"id": object_id, "object": f"{kind}.deleted", "deleted": True}


def error(message: str, kind: str, param: str | None, code: str | None) -> JSON:
    """Return OpenAI's error envelope."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value
