"""Runs in requests: what the assistant says, and what the request overrides."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import Field

from streamlit_assistant.api.conversion import to_json, to_tools
from streamlit_assistant.api.fields import Body, Metadata
from streamlit_assistant.api.requests import CreateRun, CreateThreadAndRun
from streamlit_assistant.api.tool_fields import check_tool_choice
from streamlit_assistant.records import Assistant, Run, new_id

NOTHING: Mapping[str, Any] = MappingProxyType({})
MOST_OUTPUTS = 1_000  # in one request


class ModifyRun(Body):
    """`POST /threads/{thread_id}/runs/{run_id}`"""

    metadata: Metadata | None = None


class ToolOutput(Body):
    """What one called function returned."""

    tool_call_id: str
    output: str | None = None


class SubmitToolOutputs(Body):
    """`POST /threads/{thread_id}/runs/{run_id}/submit_tool_outputs`"""

    tool_outputs: Annotated[list[ToolOutput], Field(max_length=MOST_OUTPUTS, fail_fast=True)]
    stream: bool | None = None


def to_run(
    body: CreateRun | CreateThreadAndRun,
    assistant: Assistant,
    thread_id: str,
    now: int,
    run_seconds: int,
    tool_resources: Mapping[str, Any] = NOTHING,
) -> Run:
    """Return a queued run with everything resolved; `tool_resources` override the assistant's.

    It expires after `run_seconds`.
    """
    tools = assistant.tools if body.tools is None else to_tools(body.tools)
    check_tool_choice(body.tool_choice, tools)
    return Run(
        id=new_id("run"),
        owner=assistant.owner,
        thread_id=thread_id,
        assistant_id=assistant.id,
        created_at=now,
        expires_at=now + run_seconds,
        model=body.model or assistant.model,
        instructions=_instructions(body, assistant),
        tools=tools,
        # Kept with the run: the assistant may be changed or deleted while it goes on.
        tool_resources={**assistant.tool_resources, **tool_resources},
        metadata=body.metadata or {},
        temperature=_given(body.temperature, assistant.temperature),
        top_p=_given(body.top_p, assistant.top_p),
        max_prompt_tokens=body.max_prompt_tokens,
        max_completion_tokens=body.max_completion_tokens,
        truncation_strategy=to_json(body.truncation_strategy) or {"type": "auto"},
        tool_choice=to_json(body.tool_choice) or "auto",
        parallel_tool_calls=body.parallel_tool_calls is not False,
        response_format=to_json(body.response_format) or assistant.response_format,
        reasoning_effort=getattr(body, "reasoning_effort", None) or assistant.reasoning_effort,
    )


def _instructions(body: CreateRun | CreateThreadAndRun, assistant: Assistant) -> str:
    own = assistant.instructions if body.instructions is None else body.instructions
    more = body.additional_instructions if isinstance(body, CreateRun) else None
    return "\n\n".join(text for text in (own, more) if text)


def _given(override: float | None, inherited: float | None) -> float | None:
    return inherited if override is None else override
