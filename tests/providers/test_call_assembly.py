"""Function calls put together, however a server sends them."""

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest

from streamlit_assistant.errors import UpstreamError
from streamlit_assistant.providers.base import CallArguments, CallStart
from streamlit_assistant.providers.chat.call_assembly import CallAssembly

Call = tuple[str, str, str]  # id, name, arguments


def piece(arguments: Any = None, name: Any = None, **fields: Any) -> dict[str, Any]:
    return {**fields, "function": {"name": name, "arguments": arguments}}


def assembled(*pieces: dict[str, Any]) -> list[Call]:
    """The calls that the pieces add up to for whoever follows the stream."""
    assembly = CallAssembly()
    said = itertools.chain(*map(assembly.take, pieces), assembly.finish())
    return list(folded(said))


def folded(said: Iterator[CallStart | CallArguments]) -> Iterator[Call]:
    calls: list[list[str]] = []
    for item in said:
        if isinstance(item, CallStart):
            assert item.index == len(calls)
            calls.append([item.id, item.name, ""])
        else:
            calls[item.index][2] += item.text
    return ((call_id, name, arguments) for call_id, name, arguments in calls)


WHOLE = '{"city": "Oslo"}'


def test_arguments_in_pieces_by_number() -> None:
    found = assembled(
        piece("", "weather", index=0, id="call_a", type="function"),
        piece('{"city":', index=0),
        piece(' "Oslo"}', index=0),
        piece("", "time", index=1, id="call_b"),
        piece("{}", index=1),
    )

    assert found == [("call_a", "weather", WHOLE), ("call_b", "time", "{}")]


def test_whole_calls_that_all_have_the_number_zero() -> None:
    found = assembled(
        piece(WHOLE, "weather", index=0, id="call_a"),
        piece(WHOLE, "weather", index=0, id="call_b"),
    )

    assert found == [("call_a", "weather", WHOLE), ("call_b", "weather", WHOLE)]


def test_whole_calls_without_numbers() -> None:
    found = assembled(piece(WHOLE, "weather", id="a"), piece("{}", "time", id="b"))

    assert found == [("a", "weather", WHOLE), ("b", "time", "{}")]


def test_pieces_without_numbers_continue_the_last_call() -> None:
    found = assembled(
        piece("", "weather", id="a"), piece('{"city": '), piece('"Oslo"}'), piece("{}", "time")
    )

    assert [(name, arguments) for _, name, arguments in found] == [
        ("weather", WHOLE),
        ("time", "{}"),
    ]


def test_two_calls_of_one_function_without_ids() -> None:
    found = assembled(piece(WHOLE, "weather", index=0), piece(WHOLE, "weather", index=0))

    assert [arguments for _, _, arguments in found] == [WHOLE, WHOLE]


def test_a_name_repeated_with_every_piece_opens_no_call() -> None:
    pieces = [piece(text, "weather", index=0, id="a") for text in ('{"city":', ' "Os', 'lo"}')]

    assert assembled(*pieces) == [("a", "weather", WHOLE)]


def test_pieces_told_apart_by_ids_may_alternate() -> None:
    for number in ({}, {"index": None}, {"index": 0}):
        found = assembled(
            piece('{"city"', "weather", id="a", **number),
            piece('{"city"', "weather", id="b", **number),
            piece(': "Oslo"}', id="a", **number),
            piece(': "Rome"}', id="b", **number),
        )

        assert found == [("a", "weather", WHOLE), ("b", "weather", '{"city": "Rome"}')]


def test_a_piece_without_an_id_goes_on_with_the_last_one() -> None:
    found = assembled(
        piece('{"city"', "weather", id="a"),
        piece('{"zone"', "time", id="b"),
        piece(": ", id="a"),
        piece('"Oslo"}'),
        piece(": 1}", id="b"),
    )

    assert found == [("a", "weather", WHOLE), ("b", "time", '{"zone": 1}')]


def test_another_name_opens_another_call_even_under_the_same_number() -> None:
    found = assembled(piece("", "now", index=0), piece("", "here", index=0))

    assert [(name, arguments) for _, name, arguments in found] == [("now", "{}"), ("here", "{}")]


def test_a_whole_call_said_again_is_the_same_one() -> None:
    call = piece(WHOLE, "weather", index=0, id="a")

    assert assembled(call, call) == [("a", "weather", WHOLE)]


def test_what_the_protocol_does_not_know_is_kept_by_call() -> None:
    assembly = CallAssembly()
    pieces = [
        piece("", "first", index=0, id="a", extra_content={"google": 1}),
        piece("{}", "second", index=1, id="b", odd=None),
        piece("{}", index=0, more=2),
    ]
    starts = [item for each in pieces for item in assembly.take(each)]

    assert [item.name for item in starts if isinstance(item, CallStart)] == ["second", "first"]
    assert assembly.extras == [{}, {"extra_content": {"google": 1}, "more": 2}]


def test_calls_whose_pieces_alternate() -> None:
    found = assembled(
        piece('{"city"', "weather", index=0, id="a"),
        piece('{"zone"', "time", index=1, id="b"),
        piece(': "Oslo"}', index=0),
        piece(": 1}", index=1),
    )

    assert found == [("a", "weather", WHOLE), ("b", "time", '{"zone": 1}')]


def test_an_object_for_arguments_becomes_its_json() -> None:
    ((_, _, arguments),) = assembled(piece({"city": "东京"}, "weather", index=0, id="a"))

    assert arguments == '{"city": "东京"}'


def test_no_arguments_become_an_empty_object() -> None:
    assert assembled(piece("", "now", index=0, id="a")) == [("a", "now", "{}")]
    assert assembled(piece(None, "now", index=0, id="a")) == [("a", "now", "{}")]


def test_broken_arguments_pass_as_they_are() -> None:
    assert assembled(piece('{"city": ', "weather", index=0, id="a"))[0][2] == '{"city": '


def test_a_missing_id_is_made_and_a_repeated_one_replaced() -> None:
    (made, _, _), (first, _, _), (second, _, _) = assembled(
        piece("{}", "a", index=0),
        piece("{}", "b", index=1, id="same"),
        piece("{}", "c", index=2, id="same"),
    )

    assert made.startswith("call_")
    assert first == "same"
    assert second.startswith("call_")


def test_an_empty_name_or_id_later_changes_nothing() -> None:
    found = assembled(
        piece("{", "weather", index=0, id="a"),
        piece("}", "", index=0, id=""),
    )

    assert found == [("a", "weather", "{}")]


def test_a_name_that_comes_late_is_waited_for() -> None:
    found = assembled(piece('{"city": ', index=0, id="a"), piece('"Oslo"}', "weather", index=0))

    assert found == [("a", "weather", WHOLE)]


def test_a_call_without_a_name_is_an_error() -> None:
    with pytest.raises(UpstreamError, match="without naming it"):
        assembled(piece("{}", index=0, id="a"))


@pytest.mark.parametrize("nonsense", [{}, {"function": 3}, {"index": "x", "function": {}}])
def test_nonsense_is_no_call(nonsense: dict[str, Any]) -> None:
    assert assembled(nonsense) == []
    assert assembled(nonsense, piece(WHOLE, "weather", id="a"), nonsense) == [
        ("a", "weather", WHOLE)
    ]


def test_a_call_without_arguments_is_announced_when_it_can_be_acted_on() -> None:
    assembly = CallAssembly()
    pieces = [piece("", "now", index=0, id="a"), piece("", "here", index=1, id="b")]
    before = [*assembly.take(pieces[0]), *assembly.take(pieces[1])]
    after = list(assembly.finish())

    assert before == []
    assert after == [
        CallStart(0, "a", "now"),
        CallArguments(0, "{}"),
        CallStart(1, "b", "here"),
        CallArguments(1, "{}"),
    ]


def test_a_name_that_comes_late_does_not_mix_up_the_calls() -> None:
    found = assembled(
        piece('{"n": 0}', index=0, id="a"),
        piece('{"n": 1}', "second", index=1, id="b"),
        piece("", "first", index=0),
    )

    assert found == [("b", "second", '{"n": 1}'), ("a", "first", '{"n": 0}')]


def test_halves_of_characters_are_put_together_or_replaced() -> None:
    found = assembled(
        piece('{"a": "\ud83d', "f\ud800", index=0, id="x\udfff"),
        piece('\ude00 \ud83d"}', index=0),
    )

    assert found == [("x\ufffd", "f\ufffd", '{"a": "😀 \ufffd"}')]


def test_any_cut_of_the_arguments_adds_up() -> None:
    text = json.dumps({"text": 'a "quoted" \\ 小智'}, ensure_ascii=False)
    for size in range(1, len(text)):
        cuts = [text[i : i + size] for i in range(0, len(text), size)]
        head = piece("", "f", index=0, id="a")

        assert assembled(head, *(piece(cut, index=0) for cut in cuts)) == [("a", "f", text)]
