"""What an attempt left open: the answer of a killed process, the calls of a waiting run."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from streamlit_assistant.records import JSON, Run, RunStep, StepStatus
from streamlit_assistant.runs.answer import Answer
from streamlit_assistant.runs.call_fold import CallFold
from streamlit_assistant.runs.call_step import CallStep
from streamlit_assistant.runs.delta_fold import MessageFold
from streamlit_assistant.runs.run_steps import MESSAGE_CREATION, TOOL_CALLS
from streamlit_assistant.runs.token_usage import added_usage
from streamlit_assistant.store import Store


@dataclass(frozen=True)
class Remains:
    """The unfinished part of a run, and the tokens of the finished ones."""

    opened: Answer | CallStep | None = None
    usage: JSON | None = None


async def read_remains(store: Store, run_id: str) -> Remains:
    """Return what there is of a run, as its followers saw it."""
    steps = await store.steps.of_run(run_id)
    spent = None
    for step in steps:
        spent = added_usage(spent, step.usage)
    unfinished = [step for step in steps if step.status is StepStatus.IN_PROGRESS]
    if not unfinished:
        return Remains(None, spent)
    return Remains(await _restored(store, unfinished[0], {}), spent)


async def read_shown(
    store: Store, run: Run, after: int, sources: Mapping[str, str]
) -> list[Answer | CallStep]:
    """Return what was shown of the answer that began when the run had `after` steps.

    `sources`: the file ids behind the numbers of citations.
    """
    steps = (await store.steps.of_run(run.id))[after:]
    return [await _restored(store, step, sources) for step in steps]


async def _restored(store: Store, step: RunStep, sources: Mapping[str, str]) -> Answer | CallStep:
    if step.type == TOOL_CALLS:
        return await _calls(store, step)
    return await _answer(store, step, sources)


async def _calls(store: Store, step: RunStep) -> CallStep:
    stored = step.step_details[TOOL_CALLS]
    fold = CallFold(stored)
    if not stored:
        for delta in await _deltas(store, step.run_id, "thread.run.step.delta", step.id):
            for call in delta["step_details"]["tool_calls"]:
                fold.absorb(call)
    return CallStep(step, fold, False, stored)


async def _answer(store: Store, step: RunStep, sources: Mapping[str, str]) -> Answer:
    message_id = step.step_details[MESSAGE_CREATION]["message_id"]
    message = await store.messages.get(step.thread_id, message_id)
    fold = MessageFold(message.content)
    if step.status is StepStatus.IN_PROGRESS:  # then only the events hold its content
        for delta in await _deltas(store, step.run_id, "thread.message.delta", message_id):
            fold.absorb(delta["content"][0])
    return Answer(message, step, fold, sources)


async def _deltas(store: Store, run_id: str, name: str, object_id: str) -> list[JSON]:
    events = await store.events.after(run_id, 0)
    found = [json.loads(event.data) for event in events if event.name == name]
    return [data["delta"] for data in found if data["id"] == object_id]
