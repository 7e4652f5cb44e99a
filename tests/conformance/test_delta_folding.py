"""Deltas, folded by OpenAI's own client, are the final object: for everything a model can say."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from openai.lib.streaming._deltas import accumulate_delta

from streamlit_assistant import responses
from streamlit_assistant.records import JSON
from streamlit_assistant.runs.call_fold import (
    CODE_INTERPRETER,
    FILE_SEARCH,
    FUNCTION,
    HOSTED,
    CallFold,
    fold_calls,
)
from streamlit_assistant.runs.citations import CitationFinder
from streamlit_assistant.runs.delta_fold import (
    IMAGE,
    REFUSAL,
    TEXT,
    MessageFold,
    fold_deltas,
)
from streamlit_assistant.tools.citation_marker import marker

SOURCES: Mapping[str, str] = MappingProxyType({"0:0": "file-a", "0:1": "file-b", "12:3": "file-c"})
# Words with markers among them: true, made up, broken, one inside the other.
MARKERS = [marker(*place, "a file.pdf") for place in ((0, 0), (0, 1), (12, 3), (9, 9))]
WORDS = st.lists(
    st.text(max_size=6)
    | st.sampled_from([*MARKERS, MARKERS[0][:-1], MARKERS[1][1:], "【", "】", "†"])
)
PIECES = st.tuples(
    st.sampled_from([TEXT, TEXT, TEXT, REFUSAL, IMAGE]), st.text(min_size=1, max_size=8)
)
OUTPUTS = st.builds(lambda logs: {"type": "logs", "logs": logs}, st.text(max_size=5)) | st.just(
    {"type": "image", "image": {"file_id": "file-a"}}
)


def folded_by_the_client(deltas: Sequence[JSON]) -> Any:
    """What OpenAI's client makes of them, without the numbers only deltas carry."""
    whole: dict[object, object] = {}
    for delta in deltas:
        whole = accumulate_delta(whole, dict(delta.items()))
    return without_numbers(whole)


def without_numbers(value: Any) -> Any:
    if isinstance(value, list):
        return [without_numbers(item) for item in value]
    if isinstance(value, dict):
        return {name: without_numbers(inner) for name, inner in value.items() if name != "index"}
    return value


def shown_of(calls: Sequence[JSON]) -> list[JSON]:
    """The tool calls without what the protocol does not show of them."""
    return [{name: call[name] for name in ("id", "type", call["type"])} for call in calls]


def cut(text: str, places: Sequence[int]) -> list[str]:
    """The text in pieces."""
    edges = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [text[start:end] for start, end in pairwise(edges)]


def said(pieces: Sequence[tuple[str, str]]) -> tuple[MessageFold, list[JSON]]:
    """An answer in these pieces, with its citations, and the deltas that carried it."""
    fold, finder, deltas = MessageFold(), CitationFinder(SOURCES), []
    for kind, piece in pieces:
        parts = [fold.illustrate(piece) if kind == IMAGE else fold.append(kind, piece)]
        if kind == TEXT:
            position = len(fold.content[-1]["text"]["value"])
            parts += [fold.annotate(found) for found in finder.feed(piece, position)]
        deltas += [responses.message_delta("msg_1", part) for part in parts]
    return fold, deltas


@given(words=WORDS, places=st.lists(st.integers(min_value=0)), more=st.lists(PIECES, max_size=4))
def test_message_deltas_add_up_to_the_message(
    words: list[str], places: list[int], more: list[tuple[str, str]]
) -> None:
    pieces = [(TEXT, piece) for piece in cut("".join(words), places)]
    fold, deltas = said([*pieces, *more])

    assert fold_deltas(deltas) == fold.content == MessageFold(fold.content).content
    contents = [delta["delta"] for delta in deltas]
    assert folded_by_the_client(contents).get("content", []) == fold.content


@given(words=WORDS, places=st.lists(st.integers(min_value=0)))
def test_citations_are_where_they_say_and_the_same_however_the_text_was_cut(
    words: list[str], places: list[int]
) -> None:
    text = "".join(words)
    whole, _ = said([(TEXT, text)] if text else [])
    pieced, _ = said([(TEXT, piece) for piece in cut(text, places)])

    assert pieced.content == whole.content
    annotations = [note for part in whole.content for note in part["text"]["annotations"]]
    end = 0
    for annotation in annotations:
        assert annotation["start_index"] >= end
        end = annotation["end_index"]
        assert text[annotation["start_index"] : end] == annotation["text"]
        assert annotation["file_citation"]["file_id"] in SOURCES.values()


@given(
    calls=st.lists(
        st.tuples(
            st.sampled_from([FUNCTION, FILE_SEARCH, CODE_INTERPRETER, HOSTED]),
            st.lists(st.text(max_size=5)),
            st.lists(OUTPUTS, max_size=3),
        ),
        max_size=4,
    )
)
def test_call_deltas_add_up_to_the_calls(
    calls: list[tuple[str, list[str], list[JSON]]],
) -> None:
    fold, shown = CallFold(), []
    for number, (kind, arguments, outputs) in enumerate(calls):
        shown.append(fold.open(kind, f"call_{number}", f"f{number}"))
        shown += [piece for each in arguments if (piece := fold.append(number, each))]
        if kind in (CODE_INTERPRETER, HOSTED):
            shown += [finished for finished in [fold.finish(number, outputs)] if finished]
    deltas = [responses.run_step_delta("step_1", call) for call in shown]

    final, folded = shown_of(fold.tool_calls), shown_of(fold_calls(deltas))
    assert folded == final
    assert CallFold(fold.tool_calls).tool_calls == fold.tool_calls
    details = [delta["delta"]["step_details"] for delta in deltas]
    assert folded_by_the_client(details).get("tool_calls", []) == final
