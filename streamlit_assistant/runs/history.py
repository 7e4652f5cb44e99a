"""What a run has done so far, read from its steps: so any process can go on with it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from streamlit_assistant.providers.base import (
    CallsMessage,
    FunctionCall,
    OutputMessage,
    PromptMessage,
    Turn,
)
from streamlit_assistant.records import JSON, Message, Run, RunStep, StepStatus
from streamlit_assistant.runs.call_fold import FILE_SEARCH, FUNCTION
from streamlit_assistant.runs.run_steps import FOLLOWED, MESSAGE_CREATION, TOOL_CALLS
from streamlit_assistant.runs.token_usage import added_usage
from streamlit_assistant.store import Store
from streamlit_assistant.tools import file_search


@dataclass
class RunHistory:
    """The finished steps of a run, as the model must be shown them and as they count."""

    turns: list[Turn] = field(default_factory=list)
    sources: dict[str, str] = field(default_factory=dict)  # file ids behind citation markers
    call_ids: set[str] = field(default_factory=set)
    searches: int = 0
    rounds: int = 0  # in which tools were called
    search_rounds: int = 0  # in which files were searched
    usage: JSON | None = None
    steps: int = 0
    starts: list[int] = field(default_factory=list)  # where the turns of each step begin


async def read_history(
    store: Store, run: Run, search_name: str, most_steps: int | None = None
) -> RunHistory:
    """Return what the run has done; `search_name`: the function that stands for a search.

    `most_steps`: the later ones belong to an answer that is still being given.
    """
    history = RunHistory()
    steps = (await store.steps.of_run(run.id))[:most_steps]
    messages = {m.id: m for m in await store.messages.of_run(run.id)} if steps else {}
    history.steps = len(steps)
    followers = 0  # messages that a step of calls has taken along
    for place, step in enumerate(steps):
        history.usage = added_usage(history.usage, step.usage)
        history.starts.append(len(history.turns))
        followers -= 1
        if step.status is not StepStatus.COMPLETED:
            continue
        if step.type == TOOL_CALLS:
            followers = (step.upstream or {}).get(FOLLOWED, 0)
            after = steps[place + 1 : place + 1 + followers]
            _add_calls(history, step, search_name, _said_in(after, messages))
        elif followers < 0 and (said := _said_in([step], messages)):
            history.turns.append(PromptMessage("assistant", said))
    return history


def _said_in(steps: Iterable[RunStep], messages: Mapping[str, Message]) -> list[JSON]:
    ids = [step.step_details[MESSAGE_CREATION]["message_id"] for step in steps]
    # Somebody may have deleted one of them meanwhile.
    return [part for each in ids if each in messages for part in messages[each].content]


def _add_calls(
    history: RunHistory, step: RunStep, search_name: str, said_after: Sequence[JSON]
) -> None:
    calls: list[FunctionCall] = []
    outputs: list[Turn] = []
    before = history.searches
    for call in step.step_details[TOOL_CALLS]:
        history.call_ids.add(call["id"])
        if call.get("hosted"):
            continue  # the server that has executed it remembers it by itself
        if call["type"] == FILE_SEARCH:
            calls.append(FunctionCall(call["id"], search_name, call["arguments"]))
            outputs.append(OutputMessage(call["id"], file_search.passages(call, history.searches)))
            history.sources |= file_search.sources(call, history.searches)
            history.searches += 1
        elif call["type"] == FUNCTION:
            function = call[FUNCTION]
            calls.append(FunctionCall(call["id"], function["name"], function["arguments"]))
            outputs.append(OutputMessage(call["id"], function["output"] or ""))
    if calls:
        # What was said after calling belongs to the same turn as well.
        said = [*_said_before(history, step), *said_after]
        history.turns += [CallsMessage(calls, said, step.upstream), *outputs]
    history.rounds += 1
    history.search_rounds += history.searches > before


def _said_before(history: RunHistory, step: RunStep) -> list[JSON]:
    """Take out and return what was said before calling: it belongs to the same turn."""
    covered = (step.upstream or {}).get("covers", 0)
    start = history.starts[-1 - covered]
    if not covered and history.turns and isinstance(history.turns[-1], PromptMessage):
        start = len(history.turns) - 1
    said = [turn for turn in history.turns[start:] if isinstance(turn, PromptMessage)]
    del history.turns[start:]
    return [part for turn in said for part in turn.content]
