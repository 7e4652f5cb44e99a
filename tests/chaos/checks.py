"""What must hold of a run that is over, whatever happened to the processes while it went on."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from streamlit_assistant.runs.execute_run import GIVEN_UP, INTERRUPTED
from streamlit_assistant.store.run_queue import NUMBERS_SKIPPED
from tests.chaos.planned_model import (
    Plan,
    PlannedModel,
    request_of_call,
    request_of_words,
    words_of,
)
from tests.sse import Event
from tests.stream_order import check_order

JSON = dict[str, Any]
PAUSE = "thread.run.requires_action"
# Shown before they are stored, a twentieth of a second later.
SHOWN_FIRST = {"thread.run.in_progress", "thread.message.delta", "thread.run.step.delta"}


@dataclass(frozen=True)
class Outcome:
    """A run that is over, as the API shows it."""

    plan: Plan
    run: JSON
    steps: Sequence[JSON]  # the oldest first
    messages: Sequence[JSON]  # those the run made
    replay: Sequence[Event]  # all its events, read afterwards

    @property
    def text(self) -> str:
        """What was answered, or begun to be."""
        parts = [part for message in self.messages for part in message["content"]]
        return "".join(part["text"]["value"] for part in parts)

    @property
    def was_resumed(self) -> bool:
        """Whether it was completed by another process than the one that began it."""
        numbers = [int(event.id or 0) for event in self.replay]
        return self.run["status"] == "completed" and numbers[-1] > NUMBERS_SKIPPED


def check_outcome(outcome: Outcome, model: PlannedModel) -> None:
    """Check that what is stored agrees with itself, and with what the model was asked."""
    check_replay(outcome)
    check_ending(outcome)
    check_rounds(outcome, model)
    check_answer(outcome, model)
    check_outputs(outcome, model)


def check_replay(outcome: Outcome) -> None:
    """Check that the events are in order, and that the deltas add up to what is stored."""
    numbers = [int(event.id or 0) for event in outcome.replay]
    assert numbers == sorted(set(numbers)), numbers
    events = [(event.event, event.json()) for event in outcome.replay]
    ends = [name for name, _ in events if name == f"thread.run.{outcome.run['status']}"]
    assert len(ends) == 1, ends
    assert events[-1] == (ends[0], outcome.run)
    for segment in _segments(events):
        check_order([*segment, ("done", None)])
    shown = {
        data["id"]: data for name, data in events if name.endswith(("completed", "incomplete"))
    }
    for message in outcome.messages:
        assert shown[message["id"]]["content"] == message["content"]


def _segments(events: Sequence[tuple[str, JSON]]) -> list[list[tuple[str, JSON]]]:
    # A stream ends where the run pauses for tool outputs, and another begins behind it.
    segments: list[list[tuple[str, JSON]]] = [[]]
    for event in events:
        segments[-1].append(event)
        if event[0] == PAUSE:
            segments.append([])
    return [segment for segment in segments if segment]


def check_ending(outcome: Outcome) -> None:
    """Check that a run only failed where going on would have been dishonest, and says why."""
    statuses = [step["status"] for step in outcome.steps]
    assert statuses[:-1] == ["completed"] * len(statuses[:-1]), statuses
    if outcome.run["status"] != "failed":
        return
    why = outcome.run["last_error"]["message"]
    assert why in (INTERRUPTED, GIVEN_UP), why
    if why == INTERRUPTED:  # something had been shown that was not finished
        assert statuses[-1:] == ["failed"], statuses


def check_rounds(outcome: Outcome, model: PlannedModel) -> None:
    """Check that no call to the model was repeated once its result had been stored."""
    steps = [step for step in outcome.steps if step["type"] == "tool_calls"]
    for done, step in enumerate(steps):
        made = {request_of_call(call["id"]) for call in step["step_details"]["tool_calls"]}
        asked = model.requests_of(outcome.plan, done)
        assert made <= {asked[-1]}, f"round {done} of {outcome.plan.id}: {made} of {asked}"


def check_answer(outcome: Outcome, model: PlannedModel) -> None:
    """Check that the text is the model's, from its beginning, and all of it if completed."""
    plan, done = outcome.plan, sum(step["type"] == "tool_calls" for step in outcome.steps)
    completed = outcome.run["status"] == "completed"
    assert [message["status"] for message in outcome.messages] in (
        [["completed"]] if completed else [[], ["incomplete"], ["completed"]]
    )
    if not outcome.text:
        assert not completed
        return
    number = request_of_words(outcome.text)
    words = "".join(words_of(plan, number))
    assert number == model.requests_of(plan, done)[-1], model.requests_of(plan, done)
    assert outcome.text == words if completed else words.startswith(outcome.text), outcome.text


def check_outputs(outcome: Outcome, model: PlannedModel) -> None:
    """Check that the model was told one output of each call, and that it is the stored one."""
    told = model.outputs_of(outcome.plan)
    for step in outcome.steps:
        for call in step["step_details"].get("tool_calls", ()):
            output = call.get("function", {}).get("output")
            if output is not None and call["id"] in told:
                assert told[call["id"]] == {output}, (told[call["id"]], output)
    assert all(len(outputs) == 1 for outputs in told.values()), told


def check_follower(seen: Sequence[Event], replay: Sequence[Event]) -> int:
    """Check that a follower missed nothing; return how many events it saw that got lost.

    Those are pieces of text that a process had shown and not stored when it was killed. Their
    numbers are not used again.
    """
    stored: Mapping[str | None, Event] = {event.id: event for event in replay}
    kept = [event for event in seen if event.id in stored]
    lost = [event for event in seen if event.id not in stored]
    assert _plain(kept) == _plain(replay)
    assert {event.event for event in lost} <= SHOWN_FIRST, [event.event for event in lost]
    return len(lost)


def _plain(events: Sequence[Event]) -> list[tuple[str | None, str, Any]]:
    return [(event.id, event.event, json.loads(event.data)) for event in events]
