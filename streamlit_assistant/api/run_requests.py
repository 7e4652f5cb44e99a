"""From a request to run: what the assistant says, what the request overrides, what is refused."""

from collections.abc import Sequence

from streamlit_assistant.api.conversion import to_json, to_tools
from streamlit_assistant.api.requests import CreateRun, CreateThreadAndRun
from streamlit_assistant.errors import InvalidRequest
from streamlit_assistant.records import JSON, Assistant, Run, new_id

RUN_SECONDS = 600  # a run expires ten minutes after it was created


def to_run(
    body: CreateRun | CreateThreadAndRun, assistant: Assistant, thread_id: str, now: int
) -> Run:
    """Return a queued run with everything resolved."""
    tools = assistant.tools if body.tools is None else to_tools(body.tools)
    _refuse_what_cannot_be_done(body, tools)
    return Run(
        id=new_id("run"),
        owner=assistant.owner,
        thread_id=thread_id,
        assistant_id=assistant.id,
        created_at=now,
        expires_at=now + RUN_SECONDS,
        model=body.model or assistant.model,
        instructions=_instructions(body, assistant),
        tools=tools,
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


def _refuse_what_cannot_be_done(
    body: CreateRun | CreateThreadAndRun, tools: Sequence[JSON]
) -> None:
    # An answer that silently ignores its tools or its limit would be worse than none.
    if tools:
        raise InvalidRequest(
            "This server does not execute tools yet. Send 'tools': [] to run without them.",
            param="tools",
            code="unsupported_parameter",
        )
    if body.max_prompt_tokens is not None:
        raise InvalidRequest(
            "This server does not count prompt tokens yet. Use 'truncation_strategy' with "
            "'last_messages' instead of 'max_prompt_tokens'.",
            param="max_prompt_tokens",
            code="unsupported_parameter",
        )
