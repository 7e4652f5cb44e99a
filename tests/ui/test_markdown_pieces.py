"""Where a long growing block may be cut."""

import pytest

from streamlit_assistant.ui.markdown_blocks import Block, split_blocks
from streamlit_assistant.ui.markdown_lines import Kind
from streamlit_assistant.ui.markdown_pieces import PIECE, cut_point, piece

WORDS = "some words in a row, " * 100
CODE = Block(Kind.CODE, "x = 1\n" * 400 + "half a li", "python", closed=False)
TABLE = Block(Kind.TABLE, "| a | b |\n|---|---|\n" + "| 1 | 2 |\n" * 200 + "| half")


def pieces(block: Block) -> list[Block]:
    start, cut = [], 0
    while (after := cut_point(block, cut)) > cut:
        start.append(piece(block, cut, after))
        cut = after
    return [*start, piece(block, cut)]


def test_a_short_block_is_not_cut() -> None:
    assert cut_point(Block(Kind.PARAGRAPH, WORDS[:PIECE]), 0) == 0


def test_code_is_cut_at_the_end_of_a_line() -> None:
    first, rest = pieces(CODE)

    assert first.text + rest.text == CODE.text
    assert rest == Block(Kind.CODE, "half a li", "python", closed=False)


def test_the_pieces_of_a_table_have_its_head() -> None:
    first, rest = pieces(TABLE)

    assert first.text.startswith("| a | b |\n|---|---|\n| 1 | 2 |")
    assert rest.text == "| a | b |\n|---|---|\n| half"


def test_a_paragraph_is_cut_between_words_and_keeps_its_space() -> None:
    first, rest = pieces(Block(Kind.PARAGRAPH, WORDS))

    assert first.text.endswith("&#32;")
    assert first.text.removesuffix("&#32;") + " " + rest.text == WORDS


def test_chinese_is_cut_after_punctuation() -> None:
    text = "大语言模型逐个预测下一个词，" * 100

    first, rest = pieces(Block(Kind.PARAGRAPH, text))

    assert first.text.endswith("，")
    assert first.text + rest.text == text


@pytest.mark.parametrize("opening", ["**", "`", "[", "$", "(", "~~"])
def test_a_paragraph_is_not_cut_where_a_mark_is_open(opening: str) -> None:
    assert cut_point(Block(Kind.PARAGRAPH, opening + WORDS), 0) == 0


def test_the_rest_of_a_paragraph_never_looks_like_another_block() -> None:
    text = WORDS[:PIECE] + " - and # so 1. on > it " * 20

    cut = cut_point(Block(Kind.PARAGRAPH, text), 0)

    assert cut > 0
    assert [block.kind for block in split_blocks(text[cut:])] == [Kind.PARAGRAPH]


def test_a_list_is_cut_between_its_own_items_only() -> None:
    text = "".join(f"{n}. item\n   - {WORDS[:80]}\n" for n in range(1, 20))

    first, rest = pieces(Block(Kind.LIST, text))

    assert first.text + rest.text == text
    assert rest.text.startswith("19. item")


def test_a_list_that_counts_by_itself_is_not_cut() -> None:
    assert cut_point(Block(Kind.LIST, "1. item and more\n" * 100), 0) == 0


def test_a_list_is_not_cut_inside_code() -> None:
    text = "- a\n" + "  text\n" * 200 + "  ```\n- no item\n"

    assert cut_point(Block(Kind.LIST, text), 0) == 0


@pytest.mark.parametrize("kind", [Kind.MATH, Kind.HTML, Kind.QUOTE, Kind.HEADING])
def test_other_blocks_are_not_cut(kind: Kind) -> None:
    assert cut_point(Block(kind, WORDS), 0) == 0
