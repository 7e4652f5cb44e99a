"""An answer of the Responses API, cut anywhere, is the same answer however the rest is read."""

import asyncio
import re
from typing import Any

import pytest

from streamlit_assistant.providers.base import Delta, ProducedFile
from streamlit_assistant.providers.responses.endings import Ending
from streamlit_assistant.providers.responses.events import Reading
from streamlit_assistant.providers.upstream_failure import Explainer
from streamlit_assistant.records import JSON, RunStatus
from streamlit_assistant.runs import Pace
from streamlit_assistant.store import Store
from tests.conftest import FakeClock
from tests.providers.responses_frames import (
    Event,
    added,
    call_item,
    called,
    counts,
    created,
    delta,
    done,
    ended,
    message_item,
    numbered,
    said,
)
from tests.runs.processes import until
from tests.runs.test_executor import site
from tests.runs.test_hosted_tools import produced
from tests.runs.test_tool_calls import WEATHER, check, steps

PATH = "sandbox:/mnt/data/t.csv"
FIRST, SECOND = ["Hello", " wor", "ld, a", "nd", " more", "."], ["See ", PATH, " or ", "the web."]
LINK = "\n\n- [E](https://e.org/x)"
ARGUMENTS = '{"place": "Oslo"}'
# Both are told when the text has gone on already.
CITATIONS = {
    2: {"type": "file_citation", "file_id": "file-0", "filename": "a.pdf", "index": 5},
    4: {"type": "file_citation", "file_id": "file-1", "filename": "b.pdf", "index": 14},
}
LINKS: dict[int, JSON] = {
    2: {
        "type": "container_file_citation",
        "container_id": "cntr_1",
        "file_id": "cfile_1",
        "filename": "t.csv",
        "start_index": 4,
        "end_index": 4 + len(PATH),
    },
    3: {"type": "url_citation", "url": "https://e.org/x", "title": "E"},
}
CODE = {
    "id": "ci_1",
    "type": "code_interpreter_call",
    "status": "completed",
    "code": "print(1)",
    "container_id": "cntr_1",
    "outputs": [{"type": "logs", "logs": "1"}, {"type": "image", "url": "http://up/v1/i.png"}],
}


class NamedFiles:
    """Files of a model server, each the same object however often it is named."""

    def __init__(self) -> None:
        self._known: dict[str, ProducedFile] = {}

    def of_container(self, container_id: str, file_id: str, name: str) -> ProducedFile:
        return self._known.setdefault(file_id, produced(name))

    def image(self, url: str) -> ProducedFile:
        return self._known.setdefault(url, produced("i.png"))


def events() -> list[Event]:
    first = message_item("".join(FIRST), 0, annotations=list(CITATIONS.values()))
    second = message_item("".join(SECOND), 2, annotations=list(LINKS.values()))
    weather = call_item(ARGUMENTS, 3, "get_weather")
    opened = {**CODE, "code": "", "outputs": None, "status": "in_progress"}
    return [
        created(),
        *said(*FIRST, index=0, notes=CITATIONS),
        added(opened, 1),
        delta("code_interpreter_call_code", "print", 1, item_id="ci_1"),
        delta("code_interpreter_call_code", "(1)", 1, item_id="ci_1"),
        done(CODE, 1),
        *said(*SECOND, index=2, notes=LINKS),
        *called(ARGUMENTS[:9], ARGUMENTS[9:], index=3, name="get_weather"),
        ended("completed", first, CODE, second, weather, usage=counts(3, 4)),
    ]


def deltas(told: list[Event], resumed: str | None = None) -> list[Delta]:
    ending = Ending(Explainer("http://up/v1", None), "up", limit=None, is_stored=True)
    files: Any = NamedFiles()
    reading = Reading(files, ending, announces=resumed is None, resumed=resumed)
    return [each for event in numbered(*told) for each in reading.deltas(event)]


STREAMED, READ_AT_ONCE = deltas(events()), deltas(events()[-1:], "resp_1")


@pytest.mark.parametrize("rest", [STREAMED, READ_AT_ONCE], ids=["streamed", "read at once"])
@pytest.mark.parametrize("cut", range(1, len(STREAMED)))
async def test_an_answer_cut_anywhere_is_taken_up_without_a_word_or_file_twice(
    store: Store, clock: FakeClock, cut: int, rest: list[Delta]
) -> None:
    async def has_begun() -> bool:
        return (await store.runs.get(run.thread_id, run.id)).begun is not None

    async with site(store, clock, [*STREAMED[:cut], asyncio.Event()], [*rest]) as s:
        run = await s.ask(tools=[WEATHER])
        await until(has_begun)
        await asyncio.sleep(0.02)
        await s.next_process(pace=Pace(drain=0.01))
        paused = await s.ended(run)
        check(await s.events(run))
        shown = await steps(s, run)
        newest = await store.messages.newest(run.thread_id, 5)
        names = sorted(name for name, _ in s.files.kept.values())
    parts = [part for m in newest if m.role == "assistant" for part in m.content]
    texts = [part["text"] for part in parts if part["type"] == "text"]
    values = [text["value"] for text in texts]

    assert paused.status is RunStatus.REQUIRES_ACTION
    assert [re.sub("【.*?】", "", value) for value in values] == [
        "".join(FIRST),
        "".join(SECOND) + LINK,
    ]
    assert [value.count("【") for value in values] == [2, 0]
    assert [len(text["annotations"]) for text in texts] == [2, 1]
    for text in texts:
        for note in text["annotations"]:
            assert text["value"][note["start_index"] : note["end_index"]] == note["text"]
    assert [part["type"] for part in parts] == ["text", "image_file", "text"]
    assert names == ["i.png", "t.csv"]
    assert [step.type for step in shown] == ["message_creation", "tool_calls"] * 2
    code = shown[1].step_details["tool_calls"][0]["code_interpreter"]
    assert (code["input"], len(code["outputs"])) == ("print(1)", 2)
    assert shown[3].step_details["tool_calls"][0]["function"]["arguments"] == ARGUMENTS
