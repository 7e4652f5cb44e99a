"""How a run can end or pause, and what that means for its message and its step."""

from dataclasses import dataclass, replace

from streamlit_assistant.errors import RunErrorCode
from streamlit_assistant.records import JSON, RunStatus, RunStep, StepStatus


@dataclass(frozen=True)
class Ending:
    """The outcome of a run. A message is whole only where `incomplete_reason` is None."""

    run: RunStatus
    step: StepStatus
    incomplete_reason: str | None = None
    incomplete_details: JSON | None = None
    last_error: JSON | None = None


@dataclass(frozen=True)
class Pause:
    """Function calls wait for their outputs; `action` is the run's `required_action`."""

    step: RunStep
    action: JSON


COMPLETED = Ending(RunStatus.COMPLETED, StepStatus.COMPLETED)
CANCELLED = Ending(RunStatus.CANCELLED, StepStatus.CANCELLED, "run_cancelled")
EXPIRED = Ending(RunStatus.EXPIRED, StepStatus.EXPIRED, "run_expired")
OUT_OF_TOKENS = Ending(
    RunStatus.INCOMPLETE, StepStatus.COMPLETED, "max_tokens", {"reason": "max_completion_tokens"}
)
OUT_OF_PROMPT = Ending(
    RunStatus.INCOMPLETE, StepStatus.COMPLETED, "max_tokens", {"reason": "max_prompt_tokens"}
)
# The run's `reason` knows only token limits; the message names the filter.
FILTERED = Ending(RunStatus.INCOMPLETE, StepStatus.COMPLETED, "content_filter", {})


def failed(message: str, code: RunErrorCode = RunErrorCode.SERVER_ERROR) -> Ending:
    """Return the ending of a run that broke, with words for the person who waited."""
    error = {"code": code.value, "message": message}
    return Ending(RunStatus.FAILED, StepStatus.FAILED, "run_failed", last_error=error)


def cut_off(ending: Ending) -> Ending:
    """Return the same for a step that a limit has cut off: it is not completed."""
    completes = ending.step is StepStatus.COMPLETED
    return replace(ending, step=StepStatus.CANCELLED) if completes else ending
