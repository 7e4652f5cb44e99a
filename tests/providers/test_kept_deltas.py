"""Deltas that are kept come back as they were; others are not kept."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamlit_assistant.json_text import to_json
from streamlit_assistant.providers.base import (
    Annotated,
    Answering,
    Begun,
    CallArguments,
    CallKind,
    CallResult,
    CallStart,
    Delta,
    Finish,
    FinishReason,
    ImageMade,
    MessageStart,
    Noticed,
    ProducedFile,
    ReasoningDelta,
    RefusalDelta,
    Remember,
    TextDelta,
    Usage,
)
from streamlit_assistant.providers.kept_deltas import KINDS, decoded, encoded

FILE = ProducedFile("plot.png", lambda: (_ for _ in ()))  # type: ignore[arg-type,return-value]

texts = st.text(st.characters(exclude_categories=["Cs"]))
numbers = st.integers(0, 10**6)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=5,
)
DELTAS: dict[type[Delta], st.SearchStrategy[Delta]] = {
    MessageStart: st.builds(MessageStart),
    TextDelta: st.builds(TextDelta, texts),
    RefusalDelta: st.builds(RefusalDelta, texts),
    ReasoningDelta: st.builds(ReasoningDelta, texts),
    Annotated: st.builds(Annotated, texts, numbers, numbers),
    CallStart: st.builds(CallStart, numbers, texts, texts),
    CallArguments: st.builds(CallArguments, numbers, texts),
    Remember: st.builds(Remember, st.dictionaries(texts, json_values)),
    Finish: st.builds(Finish, st.sampled_from(FinishReason)),
}


def test_every_kind_that_is_kept_is_tried() -> None:
    assert set(DELTAS) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_delta_comes_back_as_it_was(kind: type[Delta]) -> None:
    @given(DELTAS[kind])
    def comes_back(delta: Delta) -> None:
        back = decoded(json.loads(to_json(encoded(delta))))

        assert back == delta
        assert type(back) is type(delta)

    comes_back()


def test_words_for_programs_come_back_as_such() -> None:
    start = decoded(json.loads(to_json(encoded(CallStart(0, "call_1", "add")))))
    finish = decoded(json.loads(to_json(encoded(Finish(FinishReason.STOP)))))

    assert isinstance(start, CallStart)
    assert start.kind is CallKind.FUNCTION
    assert isinstance(finish, Finish)
    assert finish.reason is FinishReason.STOP


@pytest.mark.parametrize(
    "delta",
    [
        Begun("resp_1"),
        Noticed("waiting", "It waits."),
        Answering("m"),
        Usage(1, 2),
        ImageMade(FILE),
        CallResult(0, ["4"]),
        CallStart(0, "call_1", "python", CallKind.CODE_INTERPRETER),
        Annotated("[1]", 0, 3, file_id="file-1"),
        Annotated("[1]", 0, 3, file=FILE),
    ],
)
def test_what_belongs_to_its_day_or_its_server_is_not_kept(delta: Delta) -> None:
    assert encoded(delta) is None


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"delta": "Sung", "text": "la"},
        {"delta": "TextDelta"},
        {"delta": "TextDelta", "text": "a", "volume": 11},
        {"delta": "Finish", "reason": "bored"},
        {"delta": "CallStart", "index": 0, "id": "1", "name": "f", "kind": "spell"},
    ],
)
def test_what_another_version_has_written_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"delta|fields|valid"):
        decoded(data)


def test_a_field_that_is_new_has_its_default_in_what_was_kept_before() -> None:
    data = encoded(Remember({"a": 1}))
    assert data is not None
    del data["server"]

    assert decoded(data) == Remember({"a": 1})
