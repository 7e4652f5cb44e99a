"""The protocol's objects as JSON: one function an object, the only place that spells them.

It stands on the floor beside the records, because a run's stored events carry the same objects
as the endpoints' answers. Shapes: the Assistants API v2 of OpenAI's published specification,
with the fields the hosted service added (`tool_resources`, `reasoning_effort`).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from streamlit_assistant.records import (
    JSON,
    Assistant,
    Message,
    Page,
    Run,
    RunStep,
    StepStatus,
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
    extension = {"temporary": True} if record.temporary else {}
    return {
        "id": record.id,
        "object": "thread",
        "created_at": record.created_at,
        "metadata": dict(record.metadata),
        "tool_resources": record.tool_resources,
        **extension,
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
    extension: JSON = {"reasoning": record.reasoning} if record.reasoning else {}
    if record.langchain:
        extension["langchain"] = record.langchain
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
        **extension,
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
    extension = {"notices": list(record.notices)} if record.notices else {}
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
        **extension,
    }


def run_step(record: RunStep, with_results: bool = False) -> JSON:
    """Return the `thread.run.step` object; `with_results`: with the text file search found."""
    return {
        "id": record.id,
        "object": "thread.run.step",
        "created_at": record.created_at,
        "assistant_id": record.assistant_id,
        "thread_id": record.thread_id,
        "run_id": record.run_id,
        "type": record.type,
        "status": record.status.value,
        "step_details": _step_details(record.step_details, with_results),
        "last_error": record.last_error,
        "expired_at": record.expired_at,
        "cancelled_at": record.cancelled_at,
        "failed_at": record.failed_at,
        "completed_at": record.completed_at,
        "metadata": dict(record.metadata),
        # A step that waits for tool outputs has used tokens already, but does not say so yet.
        "usage": None if record.status is StepStatus.IN_PROGRESS else record.usage,
    }


def run_step_delta(step_id: str, tool_call: JSON) -> JSON:
    """Return the `thread.run.step.delta` object that changes one tool call."""
    return {
        "id": step_id,
        "object": "thread.run.step.delta",
        "delta": {"step_details": {"type": "tool_calls", "tool_calls": [tool_call]}},
    }


def notice(code: str, message: str, details: Mapping[str, str]) -> JSON:
    """Return what a run says of how its answer came about; our extension."""
    return {"code": code, "message": message, "details": dict(details)}


def required_action(tool_calls: Sequence[JSON]) -> JSON:
    """Return a run's `required_action`: the function calls somebody must answer."""
    calls = [
        {
            "id": call["id"],
            "type": "function",
            "function": {name: call["function"][name] for name in ("name", "arguments")},
        }
        for call in tool_calls
    ]
    return {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": calls}}


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


def _step_details(details: JSON, with_results: bool) -> JSON:
    if details["type"] != "tool_calls":
        return details
    calls = [_tool_call(call, with_results) for call in details["tool_calls"]]
    return {"type": "tool_calls", "tool_calls": calls}


def _tool_call(call: JSON, with_results: bool) -> JSON:
    if call["type"] != "file_search":
        # What else is stored with a call is ours.
        return {name: call[name] for name in ("id", "type", call["type"])}
    shown = dict(call["file_search"])
    if "results" in shown and not with_results:
        shown["results"] = [
            {name: value for name, value in result.items() if name != "content"}
            for result in shown["results"]
        ]
    return {"id": call["id"], "type": "file_search", "file_search": shown}


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value
