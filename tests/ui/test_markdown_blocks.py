"""How an answer is cut into blocks."""

import random

import pytest

from streamlit_assistant.ui.markdown_blocks import Block, BlockSplitter, split_blocks
from streamlit_assistant.ui.markdown_lines import Kind

MIXED = r"""# Title
A paragraph
over two lines

- a

- b
  more

      deep

1. one
```py
def f():

    return 1
```
2. two

> quoted
lazily

| a | b |
|---|:-:|
| 1 | 2 |

$$
x

y
$$
tail $5
\[
 z
\]

    indented

    code

[1]: http://x.y
see [1] done

<pre>

# no heading
</pre>
Setext
------
***
~~~
```
~~~
last line"""


def kinds(text: str) -> list[Kind]:
    return [block.kind for block in split_blocks(text)]


def texts(text: str) -> list[str]:
    return [block.text for block in split_blocks(text)]


def test_an_empty_answer_has_no_blocks() -> None:
    assert split_blocks("") == []
    assert split_blocks(" \n\n\t\n") == []


def test_paragraphs_are_cut_at_blank_lines() -> None:
    assert texts("one\nstill one\n\n\ntwo") == ["one\nstill one", "two"]


def test_every_kind_of_block_is_told_apart() -> None:
    assert kinds(MIXED) == [
        Kind.HEADING,
        Kind.PARAGRAPH,
        Kind.LIST,
        Kind.CODE,
        Kind.LIST,
        Kind.QUOTE,
        Kind.TABLE,
        Kind.MATH,
        Kind.PARAGRAPH,
        Kind.MATH,
        Kind.CODE,
        Kind.PARAGRAPH,
        Kind.HTML,
        Kind.PARAGRAPH,
        Kind.RULE,
        Kind.CODE,
        Kind.PARAGRAPH,
    ]


@pytest.mark.parametrize("seed", range(20))
def test_however_it_streams_in_it_is_cut_alike(seed: int) -> None:
    chance = random.Random(seed)
    splitter = BlockSplitter()
    blocks: list[Block] = []
    rest = MIXED
    while rest:
        length = chance.randint(1, 12)
        blocks += splitter.feed(rest[:length])
        splitter.tail()
        rest = rest[length:]

    whole = BlockSplitter()
    assert blocks + splitter.tail() == whole.feed(MIXED) + whole.tail()


def test_what_is_handed_out_as_done_never_changes() -> None:
    whole = BlockSplitter()
    final = whole.feed(MIXED) + whole.tail()
    splitter = BlockSplitter()
    done: list[Block] = []
    for character in MIXED:
        done += splitter.feed(character)
        assert done == final[: len(done)]


def test_windows_line_ends_change_nothing() -> None:
    assert split_blocks(MIXED.replace("\n", "\r\n")) == split_blocks(MIXED)


# ---- safe places only ----


@pytest.mark.parametrize(
    "one_block",
    [
        "```\na\n\nb\n\n# c\n```",
        "~~~~\na\n\n~~~\n\nb\n~~~~",
        "- a\n\n- b\n\n  still b\n\n- c",
        "1. a\n\n   ```py\n   x\n\n   y\n   ```\n\n2. b",
        "9. a\n10. b\n\n11. c",
        "* a\n\n    * nested\n\n        deeper",
        "- a\nlazy\n\n- b",
        "| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |",
        "$$\nx\n\ny\n$$",
        "\\[\nx\n\ny\n\\]",
        "<!-- one\n\n# two -->",
        "<div>\n# still html\n</div>",
        "> a\n> b\nlazy",
        "    code\n\n\n    more code",
        "Heading\n---",
        "A paragraph\n- 5 is no item\n1986. was a year".replace("- 5", "-5"),
    ],
)
def test_no_cut_is_made_inside_a_block(one_block: str) -> None:
    assert len(split_blocks(one_block)) == 1
    assert len(split_blocks(f"before\n\n{one_block}\n\nafter")) == 3


def test_a_numbered_list_keeps_its_numbers_after_code_between_its_items() -> None:
    assert texts("1. one\n```\nx\n```\n2. two") == ["1. one", "x", "2. two"]


def test_a_list_ends_with_the_paragraph_after_it() -> None:
    assert texts("- a\n- b\n\nafter") == ["- a\n- b", "after"]


def test_a_list_ends_with_a_rule_or_a_heading() -> None:
    assert texts("- a\n---\n- b\n# c") == ["- a", "---", "- b", "# c"]


def test_code_is_handed_out_without_fence_and_with_its_language() -> None:
    assert split_blocks("```python title=x\n  a\n\nb\n```") == [
        Block(Kind.CODE, "  a\n\nb", "python")
    ]


def test_an_indented_fence_loses_its_indentation() -> None:
    assert split_blocks("  ```\n  a\n    b\n ```") == [Block(Kind.CODE, "a\n  b")]


def test_backquotes_within_a_line_are_no_fence() -> None:
    assert kinds("```not a fence``` but text") == [Kind.PARAGRAPH]


def test_code_that_nobody_closed_goes_to_the_end() -> None:
    assert split_blocks("```\na\n\n# b") == [Block(Kind.CODE, "a\n\n# b", closed=False)]


def test_two_dollar_signs_that_nobody_closed_are_no_formula() -> None:
    assert texts("$$ is slang\nfor money\n\n# and so on") == [
        "$$ is slang\nfor money",
        "# and so on",
    ]


def test_a_formula_on_one_line_stays_in_its_paragraph() -> None:
    assert kinds("as in\n$$x = y$$\nwe see") == [Kind.PARAGRAPH]


def test_inline_html_does_not_make_a_paragraph_html() -> None:
    assert kinds("<b>bold</b> and **bold**") == [Kind.PARAGRAPH]
    assert kinds("<https://example.com/a>") == [Kind.PARAGRAPH]
    assert kinds("<custom-tag>") == [Kind.HTML]


# ---- link targets ----


def test_a_block_carries_the_link_targets_it_refers_to() -> None:
    blocks = split_blocks(
        "see [the docs][D] and [other]\n\nnothing\n\n[d]: http://d\n[Other]: http://o"
    )

    assert [block.text for block in blocks] == [
        "see [the docs][D] and [other]\n\n[d]: http://d\n[Other]: http://o".replace(
            "\n[Other]", "\n\n[Other]"
        ),
        "nothing",
    ]


def test_the_first_of_two_equal_link_targets_counts() -> None:
    assert texts("[a]\n\n[a]: http://one\n[A]: http://two") == ["[a]\n\n[a]: http://one"]


def test_code_carries_no_link_targets() -> None:
    assert texts("```\n[a]\n```\n\n[a]: http://one") == ["[a]"]


# ---- while it grows ----


def tail_of(text: str) -> list[Block]:
    splitter = BlockSplitter()
    splitter.feed(text)
    return splitter.tail()


def test_the_last_line_counts_before_it_is_complete() -> None:
    assert tail_of("one\n\ntwo and") == [Block(Kind.PARAGRAPH, "two and")]


def test_a_list_that_may_yet_go_on_is_not_handed_out() -> None:
    splitter = BlockSplitter()

    assert splitter.feed("- a\n\n1") == []
    assert [block.text for block in splitter.feed("0 apples\n")] == ["- a"]


@pytest.mark.parametrize("half", ["`", "``", "~~", "$", "\\"])
def test_half_a_fence_is_not_shown(half: str) -> None:
    assert tail_of(f"text\n{half}") == [Block(Kind.PARAGRAPH, "text")]
    assert tail_of(f"```\ncode\n{half}") == [Block(Kind.CODE, "code", closed=False)]


def test_looking_at_the_tail_changes_nothing() -> None:
    splitter = BlockSplitter()
    splitter.feed("- a\n- b")

    assert splitter.tail() == splitter.tail()
    assert splitter.feed("c\n\nd\n") == [Block(Kind.LIST, "- a\n- bc")]


@pytest.mark.parametrize(
    "hostile",
    [
        "- a\n" * 20_000,
        "\\[\n" * 20_000,
        "$$\n" * 20_000,
        "| " * 40_000,
        "- " * 40_000,
        "> " * 40_000,
    ],
)
def test_hostile_text_is_cut_without_fail(hostile: str) -> None:
    assert split_blocks(hostile)
