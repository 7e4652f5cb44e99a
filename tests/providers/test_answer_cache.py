"""The answer cache: the very same request is answered as before, everything else by the model."""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from streamlit_assistant.errors import UpstreamError
from streamlit_assistant.json_text import to_json
from streamlit_assistant.providers.answer_cache import LARGEST, CachedProvider
from streamlit_assistant.providers.base import (
    Annotated,
    Answering,
    Begun,
    CallArguments,
    CallKind,
    CallResult,
    CallsMessage,
    CallStart,
    Delta,
    Finish,
    FinishReason,
    FunctionCall,
    ModelRequest,
    Noticed,
    OutputMessage,
    PromptMessage,
    ReasoningDelta,
    RefusalDelta,
    Remember,
    TextDelta,
    Usage,
)
from streamlit_assistant.records import JSON

MODEL, SERVER, SECONDS = "m", "https://models.example/v1", 60
STOP = Finish(FinishReason.STOP)
ANSWER: Sequence[Delta] = [
    ReasoningDelta("Hm."),
    TextDelta("Hel"),
    TextDelta("lo 你好"),
    Usage(10, 3),
    STOP,
]


def asked(text: str = "hello", **more: Any) -> ModelRequest:
    turn = PromptMessage("user", [{"type": "text", "text": {"value": text, "annotations": []}}])
    return ModelRequest(**{"model": MODEL, "instructions": "", "messages": [turn], **more})


@dataclass
class FakeModel:
    """A provider that says the same each time."""

    deltas: Sequence[Delta] = field(default_factory=lambda: ANSWER)
    error: UpstreamError | None = None
    asked: int = 0
    closed: int = 0
    cancelled: list[str] = field(default_factory=list)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Delta, None]:
        self.asked += 1
        try:
            for delta in self.deltas:
                yield delta
            if self.error is not None:
                raise self.error
        finally:
            self.closed += 1

    async def cancel(self, begun: str) -> None:
        self.cancelled.append(begun)


@dataclass
class FakeMemory:
    """Keeps answers as JSON text, as a database does."""

    kept: dict[str, str] = field(default_factory=dict)
    seconds: int = 0

    async def get(self, key: str) -> Sequence[JSON] | None:
        return json.loads(self.kept[key]) if key in self.kept else None

    async def put(self, key: str, deltas: Sequence[JSON], seconds: int) -> None:
        self.kept[key] = to_json(list(deltas))
        self.seconds = seconds


@pytest.fixture
def model() -> FakeModel:
    return FakeModel()


@pytest.fixture
def memory() -> FakeMemory:
    return FakeMemory()


def cached(
    model: FakeModel,
    memory: FakeMemory,
    seconds: int = SECONDS,
    server: str = SERVER,
    name: str = MODEL,
) -> CachedProvider:
    return CachedProvider(model, memory, seconds, server, name)


async def answer(provider: CachedProvider, request: ModelRequest) -> list[Delta]:
    return [delta async for delta in provider.stream(request)]


async def test_the_same_request_is_answered_in_the_same_pieces_and_costs_nothing(
    model: FakeModel, memory: FakeMemory
) -> None:
    first = await answer(cached(model, memory), asked())
    notice, *second = await answer(cached(model, memory), asked())

    assert first == ANSWER
    assert isinstance(notice, Noticed)
    assert notice.code == "cached"
    assert second == [*ANSWER[:3], Usage(0, 0), STOP]
    assert model.asked == 1
    assert memory.seconds == SECONDS


async def test_what_is_private_is_neither_kept_nor_answered_from_memory(
    model: FakeModel, memory: FakeMemory
) -> None:
    await answer(cached(model, memory), asked(private=True))
    assert memory.kept == {}

    await answer(cached(model, memory), asked())
    assert await answer(cached(model, memory), asked(private=True)) == ANSWER

    assert model.asked == 3
    assert len(memory.kept) == 1


async def test_calls_of_functions_are_answered_from_memory_too(
    model: FakeModel, memory: FakeMemory
) -> None:
    model.deltas = [
        *(CallStart(0, "call_a", "add"), CallArguments(0, '{"a":'), CallArguments(0, "1}")),
        *(Remember({"reasoning": "…"}, SERVER), Finish(FinishReason.TOOL_CALLS)),
    ]
    await answer(cached(model, memory), asked())
    _, *second = await answer(cached(model, memory), asked())

    assert second == [*model.deltas[:4], Usage(0, 0), model.deltas[4]]
    assert model.asked == 1


@pytest.mark.parametrize(
    "other",
    [
        asked("hello!"),
        asked(temperature=0.0),
        asked(instructions="Be brief."),
        asked(model="other"),
        asked(refused=frozenset({"temperature"})),
        asked(functions=[{"name": "add"}]),
        asked(
            messages=[
                *asked().messages,
                CallsMessage([FunctionCall("call_1", "add", "{}")]),
                OutputMessage("call_1", "2"),
            ]
        ),
    ],
)
async def test_another_request_is_another_answer(
    other: ModelRequest, model: FakeModel, memory: FakeMemory
) -> None:
    for request in (asked(), other):
        await answer(cached(model, memory), request)

    assert (model.asked, len(memory.kept)) == (2, 2)


async def test_another_server_or_model_gives_another_answer(
    model: FakeModel, memory: FakeMemory
) -> None:
    await answer(cached(model, memory), asked())
    await answer(cached(model, memory, server="https://other.example/v1"), asked())
    await answer(cached(model, memory, name="other"), asked())

    assert (model.asked, len(memory.kept)) == (3, 3)


async def test_the_order_of_names_and_ids_for_logs_make_no_other_request(
    model: FakeModel, memory: FakeMemory
) -> None:
    one = asked(functions=[{"name": "f", "strict": True}], trace={"run": "run_1"})
    same = asked(functions=({"strict": True, "name": "f"},), trace={"run": "run_2"})
    await answer(cached(model, memory), one)
    await answer(cached(model, memory), same)

    assert model.asked == 1


@pytest.mark.parametrize(
    "request_",
    [asked(hosted_tools=[{"type": "web_search"}]), asked(resume="resp_1")],
)
async def test_what_the_server_does_beyond_answering_is_always_asked_for(
    request_: ModelRequest, model: FakeModel, memory: FakeMemory
) -> None:
    for _ in range(2):
        assert await answer(cached(model, memory), request_) == ANSWER

    assert (model.asked, memory.kept) == (2, {})


async def test_nothing_is_kept_unless_it_is_switched_on(
    model: FakeModel, memory: FakeMemory
) -> None:
    for _ in range(2):
        assert await answer(cached(model, memory, seconds=0), asked()) == ANSWER

    assert (model.asked, memory.kept) == (2, {})


@pytest.mark.parametrize(
    "deltas",
    [
        pytest.param([TextDelta("a")], id="cut off"),
        pytest.param([TextDelta("a"), Finish(FinishReason.MAX_TOKENS)], id="a limit met"),
        pytest.param([TextDelta("a"), Finish(FinishReason.CONTENT_FILTER)], id="filtered"),
        pytest.param([TextDelta(" \n"), STOP], id="nothing said"),
        pytest.param([ReasoningDelta("Hm."), STOP], id="only thought"),
        pytest.param([TextDelta("a"), Annotated("[1]", 0, 1, file_id="f"), STOP], id="a file"),
        pytest.param(
            [CallStart(0, "c", "p", CallKind.CODE_INTERPRETER), CallResult(0, ["4"]), STOP],
            id="executed by the server",
        ),
        pytest.param([TextDelta("a\ud800"), STOP], id="half a character"),
        pytest.param([TextDelta("a" * (LARGEST // 2)), TextDelta("b" * LARGEST), STOP], id="huge"),
        pytest.param([TextDelta("b" * LARGEST), TextDelta("a"), STOP], id="huge at first"),
    ],
)
async def test_what_cannot_be_given_again_is_not_kept(
    deltas: list[Delta], model: FakeModel, memory: FakeMemory
) -> None:
    model.deltas = deltas

    assert await answer(cached(model, memory), asked()) == deltas
    assert memory.kept == {}


async def test_answers_of_a_model_that_stands_in_are_not_kept(
    model: FakeModel, memory: FakeMemory
) -> None:
    provider = cached(model, memory)
    model.deltas = [Answering("other"), TextDelta("a"), STOP]
    await answer(provider, asked("first round"))
    model.deltas = [TextDelta("b"), STOP]  # the other one stays without saying so
    await answer(provider, asked("second round"))
    by_others = dict(memory.kept)
    model.deltas = [Answering(MODEL), TextDelta("c"), STOP]
    await answer(provider, asked("third round"))
    model.deltas = [TextDelta("d"), STOP]
    await answer(provider, asked("fourth round"))

    # Only the last was this model's from the beginning.
    assert (by_others, len(memory.kept)) == ({}, 1)
    assert '"d"' in next(iter(memory.kept.values()))


async def test_an_answer_that_failed_is_not_kept(model: FakeModel, memory: FakeMemory) -> None:
    model.error = UpstreamError("It broke.")

    with pytest.raises(UpstreamError):
        await answer(cached(model, memory), asked())
    assert memory.kept == {}


async def test_what_was_to_be_known_that_day_is_not_said_again(
    model: FakeModel, memory: FakeMemory
) -> None:
    model.deltas = [
        *(Begun("resp_1"), Noticed("usage_estimated", "About."), Answering(MODEL)),
        *(RefusalDelta("No."), STOP),
    ]
    await answer(cached(model, memory), asked())
    notice, *second = await answer(cached(model, memory), asked())

    assert isinstance(notice, Noticed)
    assert notice.code == "cached"
    assert second == [RefusalDelta("No."), Usage(0, 0), STOP]


async def test_an_answer_nobody_listens_to_any_more_is_closed_and_not_kept(
    model: FakeModel, memory: FakeMemory
) -> None:
    deltas = cached(model, memory).stream(asked())
    await anext(deltas)
    await deltas.aclose()

    assert (model.closed, memory.kept) == (1, {})


async def test_what_another_version_has_kept_is_asked_for_again(
    model: FakeModel, memory: FakeMemory
) -> None:
    await answer(cached(model, memory), asked())
    memory.kept = dict.fromkeys(memory.kept, '[{"delta":"Sung"}]')

    assert await answer(cached(model, memory), asked()) == ANSWER
    assert await answer(cached(model, memory), asked()) != ANSWER


async def test_others_get_their_turn_while_a_long_answer_is_repeated(
    model: FakeModel, memory: FakeMemory
) -> None:
    model.deltas = [*[TextDelta("a")] * 100, STOP]
    await answer(cached(model, memory), asked())
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    await answer(cached(model, memory), asked())
    counting.cancel()

    assert turns >= 100


async def test_an_answer_that_has_begun_is_ended_by_the_provider(
    model: FakeModel, memory: FakeMemory
) -> None:
    await cached(model, memory).cancel("resp_1")

    assert model.cancelled == ["resp_1"]


async def test_nothing_is_kept_of_a_server_that_stood_in_with_a_model_of_the_same_name(
    memory: FakeMemory,
) -> None:
    stood_in = [Noticed("fallback", "B answers in place of A."), Answering(MODEL), *ANSWER]
    once, again = FakeModel(stood_in), FakeModel([Answering(MODEL), *ANSWER])

    await answer(cached(once, memory), asked())
    kept_of_stand_in = dict(memory.kept)
    await answer(cached(again, memory), asked())

    assert (kept_of_stand_in, len(memory.kept)) == ({}, 1)
