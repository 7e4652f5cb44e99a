"""Texts are cut into chunks of the size that was asked for, at good places."""

from itertools import pairwise

import pytest
import toktok

from streamlit_assistant.file_records import NewChunk
from streamlit_assistant.files import chunking
from streamlit_assistant.files.chunking import chunk
from streamlit_assistant.files.terms import Analyzer
from streamlit_assistant.files.unreadable import Unreadable
from tests.bench.texts import chinese, english, markdown

TEXTS = {
    "English": english(60_000),
    "Chinese": chinese(60_000),
    "Markdown": markdown(60_000),
    "without spaces": "0123456789abcdef" * 3_000,
    "one character": "的" * 20_000,
    "emoji": "👩‍👩‍👧 é́ " * 3_000,
    "blank lines": "a\n\n\n" * 5_000,
}
SIZES = [(800, 400), (800, 0), (100, 50), (100, 0), (300, 20), (4096, 2048), (150, 1)]


def cut(text: str, most: int = 800, overlap: int = 400) -> list[NewChunk]:
    return chunk(text, most, overlap, Analyzer())


def tokens(text: str) -> int:
    counts: list[int] = toktok.batch_count([text], "cl100k_base")
    return counts[0]


@pytest.mark.parametrize(("most", "overlap"), SIZES)
@pytest.mark.parametrize("kind", TEXTS)
def test_no_chunk_and_no_overlap_is_too_large_and_nothing_is_lost(
    kind: str, most: int, overlap: int
) -> None:
    text = TEXTS[kind]

    chunks = cut(text, most, overlap)

    assert max(tokens(piece.text) for piece in chunks) <= most
    assert text.startswith(chunks[0].text)
    assert text.rstrip().endswith(chunks[-1].text)
    for one, other in pairwise(chunks):
        end = one.start + len(one.text)
        assert text[one.start : end] == one.text
        assert other.start > one.start
        assert tokens(text[other.start : end]) <= overlap if other.start < end else True
        assert text[end : other.start].strip() == ""


@pytest.mark.parametrize("kind", ["English", "Chinese", "Markdown"])
def test_chunks_are_well_filled_and_share_what_was_asked_for(kind: str) -> None:
    chunks = cut(TEXTS[kind])
    filled = [tokens(piece.text) for piece in chunks[:-1]]
    shared = [
        tokens(TEXTS[kind][other.start : one.start + len(one.text)])
        for one, other in pairwise(chunks[:-1])
    ]

    assert min(filled) >= 0.7 * 800
    assert min(shared) >= 0.5 * 400


@pytest.mark.parametrize("kind", ["English", "Chinese"])
def test_cuts_are_made_between_sentences(kind: str) -> None:
    assert all(piece.text.endswith((".", "。", "！", "？")) for piece in cut(TEXTS[kind]))


def test_a_paragraph_is_kept_whole_where_it_fits() -> None:
    paragraphs = [f"Paragraph {number}. " + "All of it is short. " * 12 for number in range(40)]

    chunks = cut("\n\n".join(paragraphs), 300, 0)

    assert all(piece.text.startswith("Paragraph") for piece in chunks)


def test_words_are_not_cut() -> None:
    known = {"internationalisation", "of", "documentation"}
    text = "internationalisation of documentation " * 2_000

    assert {word for piece in cut(text, 100, 30) for word in piece.text.split()} == known


def test_an_emoji_of_several_characters_is_not_cut() -> None:
    family = "👩‍👩‍👧"

    assert all(set(piece.text.split(family)) == {""} for piece in cut(family * 500, 100, 0))


@pytest.mark.parametrize("sign", [".", "?! ", "\n ", " \t", "'", "1,", "a.", "-", "（", "。"])
def test_signs_without_end_take_no_more_time_than_words(sign: str) -> None:
    cut(sign * 1_000_000 + "end")


def test_a_short_text_is_one_chunk() -> None:
    assert cut("年假有十五天。\n\nEnd.") == [
        NewChunk("年假有十五天。\n\nEnd.", cut("年假有十五天。\n\nEnd.")[0].terms, 0)
    ]


def test_a_chunk_is_found_under_the_words_in_it_also_where_they_were_cut() -> None:
    run = "".join(chr(0x4E00 + number) for number in range(3_000))

    for piece in cut(run, 100, 0)[:-1]:
        found = set(piece.terms.split())
        assert all(left + right in found for left, right in pairwise(piece.text))


def test_too_many_tokens_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunking, "MOST_TOKENS", 100)

    with pytest.raises(Unreadable, match="more than 100 tokens"):
        cut("word " * 101)
