"""Run steps as records: how one begins and how it ends."""

from collections.abc import Sequence
from dataclasses import replace

from streamlit_assistant.records import JSON, Run, RunStep, StepStatus, new_id
from streamlit_assistant.runs.endings import Ending
from streamlit_assistant.runs.token_usage import NO_TOKENS

_REACHED_AT = {
    StepStatus.COMPLETED: "completed_at",
    StepStatus.FAILED: "failed_at",
    StepStatus.CANCELLED: "cancelled_at",
    StepStatus.EXPIRED: "expired_at",
}
MESSAGE_CREATION, TOOL_CALLS = "message_creation", "tool_calls"
# Of a step of calls, in `upstream`: the messages right after it that the model said with them.
FOLLOWED = "followed"


def new_step(run: Run, details: JSON, now: int) -> RunStep:
    """Return a step of the run that begins; its type is that of its details."""
    return RunStep(
        id=new_id("step"),
        run_id=run.id,
        thread_id=run.thread_id,
        assistant_id=run.assistant_id,
        created_at=now,
        type=details["type"],
        step_details=details,
    )


def ended_step(step: RunStep, ending: Ending, usage: JSON | None, now: int) -> RunStep:
    """Return the step as the end of its run, or of its part in it, leaves it."""
    reached: JSON = {"status": ending.step, _REACHED_AT[ending.step]: now}
    tokens = usage or step.usage or NO_TOKENS
    return replace(step, usage=tokens, last_error=ending.last_error, **reached)


def with_calls(step: RunStep, tool_calls: Sequence[JSON]) -> RunStep:
    """Return a step of tool calls with others in their place."""
    return replace(step, step_details={"type": TOOL_CALLS, TOOL_CALLS: list(tool_calls)})
