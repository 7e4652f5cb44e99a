"""Whatever calls a model makes, however cut, numbered and mixed: they fold to the same."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.providers.test_call_assembly import Call, assembled, piece

Piece = dict[str, Any]
Draw = Callable[[st.SearchStrategy[Any]], Any]

NOTHING: list[Piece] = [{}, {"id": None}, {"id": ""}]
NUMBERLESS: list[Piece] = [{}, {"index": None}, {"index": 0}]
WORDS = st.text(
    st.characters(codec="utf-8", exclude_characters="\0"), max_size=6
) | st.sampled_from(['"', "\\", "{", "}", '{"a": 1}', "</think>", "日本", "🙂"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(WORDS, VALUES, max_size=3)
ARGUMENTS = st.builds(
    json.dumps, OBJECTS, ensure_ascii=st.booleans(), indent=st.none() | st.just(1)
)
NAMES = st.sampled_from(["get_weather", "get_time", "f"])


@st.composite
def calls(draw: Draw, arguments: st.SearchStrategy[str] = ARGUMENTS) -> list[Call]:
    """A few calls, functions among them that are called twice, and with the same arguments."""
    found = draw(st.lists(st.tuples(NAMES, arguments), min_size=1, max_size=4))
    return [(f"call_{chr(97 + place)}", name, text) for place, (name, text) in enumerate(found)]


@st.composite
def cut(draw: Draw, text: str, first: int = 0) -> list[str]:
    """The text in pieces, empty ones among them; at least `first` characters in the first."""
    places = sorted(draw(st.lists(st.integers(min(first, len(text)), len(text)), max_size=6)))
    return [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]


@st.composite
def mixed(draw: Draw, rows: Sequence[Sequence[Piece]]) -> list[Piece]:
    """The pieces of all rows, each row in its order."""
    order = draw(st.permutations([place for place, row in enumerate(rows) for _ in row]))
    waiting = [iter(row) for row in rows]
    return [next(waiting[place]) for place in order]


def rest(draw: Draw, text: str, name: str, **fields: Any) -> Piece:
    """A later piece of a call, which may say its name again, or nothing, or that there is none."""
    said = draw(st.sampled_from([name, "", None]))
    return piece(text, said, **{**draw(st.sampled_from(NOTHING)), **fields})


def meant(found: Sequence[Call]) -> Counter[Call]:
    return Counter((call_id, name, text or "{}") for call_id, name, text in found)


def unsigned(found: Sequence[Call]) -> list[tuple[str, str]]:
    return [(name, text or "{}") for _, name, text in found]


@given(st.data())
def test_numbered_pieces_in_any_order(data: st.DataObject) -> None:
    made = data.draw(calls(ARGUMENTS | st.just("")))
    rows = []
    for number, (call_id, name, text) in enumerate(made):
        first, *later = data.draw(cut(text))
        again = data.draw(st.booleans())  # the id with every piece
        fields = {"index": number} | ({"id": call_id} if again else {})
        rows.append(
            [
                piece(first, name, index=number, id=call_id, type="function"),
                *(rest(data.draw, each, name, **fields) for each in later),
            ]
        )

    assert meant(assembled(*data.draw(mixed(rows)))) == meant(made)


@given(st.data())
def test_pieces_told_apart_by_their_ids_alone(data: st.DataObject) -> None:
    made = data.draw(calls(ARGUMENTS | st.just("")))
    number = data.draw(st.sampled_from(NUMBERLESS))
    rows = []
    for call_id, name, text in made:
        first, *later = data.draw(cut(text))
        rows.append(
            [
                piece(first, name, **number, id=call_id),
                *(rest(data.draw, each, name, **number, id=call_id) for each in later),
            ]
        )

    assert meant(assembled(*data.draw(mixed(rows)))) == meant(made)


@given(st.data())
def test_whole_calls_of_whatever_number(data: st.DataObject) -> None:
    made = data.draw(calls())
    number = data.draw(st.sampled_from(NUMBERLESS))
    has_ids = data.draw(st.booleans())
    pieces = [
        piece(
            json.loads(text) if data.draw(st.booleans()) else text,
            name,
            **number,
            **({"id": call_id} if has_ids else data.draw(st.sampled_from(NOTHING))),
        )
        for call_id, name, text in made
    ]

    found = assembled(*pieces)

    assert [json.loads(text) for _, _, text in found] == [json.loads(text) for *_, text in made]
    assert [name for _, name, _ in found] == [name for _, name, _ in made]
    assert not has_ids or [call_id for call_id, *_ in found] == [call_id for call_id, *_ in made]
    assert len({call_id for call_id, *_ in found}) == len(made)


@given(st.data())
def test_pieces_without_numbers_one_call_after_the_other(data: st.DataObject) -> None:
    made = data.draw(calls())
    has_ids = data.draw(st.booleans())
    number = data.draw(st.sampled_from(NUMBERLESS))
    pieces = []
    for call_id, name, text in made:
        first, *later = data.draw(cut(text, first=0 if has_ids else 1))
        signed = {"id": call_id} if has_ids else data.draw(st.sampled_from(NOTHING))
        pieces.append(piece(first, name, **number, **signed))
        pieces += [rest(data.draw, each, name, **number) for each in later]

    found = assembled(*pieces)

    assert unsigned(found) == unsigned(made)
    assert not has_ids or meant(found) == meant(made)


@given(st.data())
def test_calls_said_once_more_at_the_end(data: st.DataObject) -> None:
    made = data.draw(calls())
    pieces = [
        piece(each, name if not place else None, index=number, id=call_id if not place else None)
        for number, (call_id, name, text) in enumerate(made)
        for place, each in enumerate(data.draw(cut(text)))
    ]
    again = [piece(text, name, index=n, id=call_id) for n, (call_id, name, text) in enumerate(made)]

    assert assembled(*pieces, *again) == assembled(*pieces) == made
