"""The run step of the tool calls of one round: from the first call to their answers."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from streamlit_assistant import responses
from streamlit_assistant.records import JSON, Run, RunStep, StepStatus
from streamlit_assistant.runs.call_fold import FILE_SEARCH, FUNCTION, CallFold
from streamlit_assistant.runs.endings import Ending
from streamlit_assistant.runs.journal import Closing, Journal
from streamlit_assistant.runs.run_steps import (
    FOLLOWED,
    TOOL_CALLS,
    ended_step,
    new_step,
    with_calls,
)


class CallStep:
    """A step of tool calls that grows, and is answered."""

    def __init__(
        self, step: RunStep, fold: CallFold, with_results: bool, answers: Sequence[JSON] = ()
    ) -> None:
        """`answers`: what is stored, if the model has written all its calls."""
        self._step = step
        self._fold = fold
        self._with_results = with_results
        self._answers = list(answers)
        # What an earlier attempt has shown comes again when the model server repeats its answer.
        self._opened = 0
        self._seen = {place: fold.length(place) for place in range(fold.count)}

    @classmethod
    async def begin(cls, run: Run, journal: Journal, now: int) -> "CallStep":
        """Announce a step without calls."""
        step = new_step(run, {"type": TOOL_CALLS, TOOL_CALLS: []}, now)
        shown = responses.run_step(step)
        emissions = [("thread.run.step.created", shown), ("thread.run.step.in_progress", shown)]
        await journal.commit(emissions, {}, [step])
        return cls(step, CallFold(), run.includes_results)

    @property
    def is_closed(self) -> bool:
        """Whether an earlier attempt has stored it as whole."""
        return self._step.status is not StepStatus.IN_PROGRESS

    def open(self, kind: str, call_id: str, name: str, journal: Journal) -> int:
        """Begin a call and show it, unless it was shown before; return its place."""
        place = self._opened
        self._opened += 1
        if place >= self._fold.count:
            self._show(self._fold.open(kind, call_id, name), journal)
        return place

    def append(self, place: int, piece: str, journal: Journal) -> None:
        """Add arguments to a call and show them."""
        seen = self._seen.get(place, 0)
        self._seen[place] = max(seen - len(piece), 0)
        if unseen := piece[seen:]:
            self._show(self._fold.append(place, unseen), journal)

    def lacks_result(self, place: int) -> bool:
        """Whether what the model server brings for a call is news."""
        return not self._fold.is_done(place)

    def image_ids(self, place: int) -> list[str]:
        """The ids of the images that a call has brought."""
        return self._fold.image_ids(place)

    def finish(self, place: int, outputs: Sequence[JSON], journal: Journal) -> None:
        """Add what a call brought that the model server executed, and show it."""
        self._show(self._fold.finish(place, outputs), journal)

    @property
    def is_settled(self) -> bool:
        """Whether the model server has executed every call."""
        return self._fold.all_done

    def _show(self, call: JSON | None, journal: Journal) -> None:
        if call is not None:
            journal.emit("thread.run.step.delta", responses.run_step_delta(self._step.id, call))

    @property
    def tool_calls(self) -> list[JSON]:
        """The calls, those answered that were."""
        return self._answers or self._fold.tool_calls

    @property
    def searches(self) -> list[tuple[int, JSON]]:
        """The searches this server executes, with their place among the calls."""
        return [(i, call) for i, call in enumerate(self.tool_calls) if _is_ours(call)]

    @property
    def functions(self) -> list[JSON]:
        """The calls that somebody else must answer."""
        return [call for call in self.tool_calls if is_waiting(call)]

    def answer(self, index: int, call: JSON) -> None:
        """Put an answered call in the place of the bare one."""
        self._answers = self.tool_calls
        self._answers[index] = call

    def answer_function(self, call_id: str, output: str) -> None:
        """Give the output of a function call."""
        self._answers = answered(self.tool_calls, {call_id: output})

    def remember(self, upstream: JSON) -> None:
        """Keep what the model server wants to be told again of these calls."""
        self._step = replace(self._step, upstream=upstream)

    def note_followers(self, steps: int) -> None:
        """Keep how many steps after this one belong to the same turn of the model's."""
        self._step = replace(self._step, upstream={**(self._step.upstream or {}), FOLLOWED: steps})

    def waiting(self, usage: JSON | None) -> RunStep:
        """Return the step as it is stored while its function calls wait for their outputs."""
        return replace(with_calls(self._step, self.tool_calls), usage=usage)

    def end(self, ending: Ending, usage: JSON | None, now: int) -> Closing:
        """Return the final step, and the event that announces it."""
        step = ended_step(with_calls(self._step, self.tool_calls), ending, usage, now)
        shown = responses.run_step(step, self._with_results)
        return Closing([step], [(f"thread.run.step.{step.status}", shown)])


def _is_ours(call: JSON) -> bool:
    return call["type"] == FILE_SEARCH and not call.get("hosted")


def is_waiting(call: JSON) -> bool:
    """Whether a tool call is a function's and nobody has answered it."""
    return bool(call["type"] == FUNCTION and call[FUNCTION]["output"] is None)


def answered(calls: Sequence[JSON], outputs: Mapping[str, str]) -> list[JSON]:
    """Return the tool calls, those with an output among `outputs` answered by it."""
    return [
        {**call, FUNCTION: {**call[FUNCTION], "output": outputs[call["id"]]}}
        if call["id"] in outputs
        else call
        for call in calls
    ]
