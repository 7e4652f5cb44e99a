"""Tool outputs: who may submit them, and what becomes of the run and its step."""

from dataclasses import dataclass, replace

from streamlit_assistant import responses
from streamlit_assistant.errors import InvalidRequest
from streamlit_assistant.records import Run, RunStatus, RunStep, StepStatus
from streamlit_assistant.runs.call_step import answered, is_waiting
from streamlit_assistant.runs.journal import Emission
from streamlit_assistant.runs.run_steps import TOOL_CALLS, with_calls
from streamlit_assistant.runs.transitions import advance
from streamlit_assistant.store import Store

AGAIN_SECONDS = 0.05  # before outputs are tried again for a run that somebody is just ending


@dataclass(frozen=True)
class Submission:
    """A waiting run whose calls are answered: queued again, its step completed."""

    run: Run
    step: RunStep

    @property
    def emissions(self) -> list[Emission]:
        """The events that announce it."""
        shown = responses.run_step(self.step, self.run.includes_results)
        return [
            ("thread.run.step.completed", shown),
            ("thread.run.queued", responses.run(self.run)),
        ]


async def submission(
    store: Store, run: Run, outputs: list[tuple[str, str]], now: int
) -> Submission | None:
    """Return what becomes of a run by these outputs (call id, text); raise `InvalidRequest`.

    Returns None if the run has gone on since it was read.
    """
    step = await store.steps.unfinished(run.id)
    status = run.status
    if status is RunStatus.REQUIRES_ACTION and run.expires_at is not None and run.expires_at <= now:
        status = RunStatus.EXPIRED  # nobody has got round to noting it
    if status is not RunStatus.REQUIRES_ACTION:
        raise InvalidRequest(f'Runs in status "{status}" do not accept tool outputs.')
    if step is None:
        return None
    calls = step.step_details[TOOL_CALLS]
    expected = [call["id"] for call in calls if is_waiting(call)]
    given = [call_id for call_id, _ in outputs]
    if sorted(expected) != sorted(given):
        # All at once, as the specification says; the text is the hosted service's.
        raise InvalidRequest(f"Expected tool outputs for call_ids {expected}, got {given}")
    whole = with_calls(step, answered(calls, dict(outputs)))
    done = replace(whole, status=StepStatus.COMPLETED, completed_at=now)
    return Submission(advance(run, RunStatus.QUEUED, now, required_action=None), done)
