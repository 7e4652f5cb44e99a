"""How an answer's markdown is fitted to Streamlit's."""

import pytest

from streamlit_assistant.ui.markdown_text import (
    HAIR_SPACE,
    for_streamlit,
    formula,
    mended,
    plain,
    table_for_streamlit,
)


@pytest.mark.parametrize(
    ("written", "fitted"),
    [
        ("it's $5 and $10", r"it's \$5 and \$10"),
        ("$5-$10, $20/$30", r"\$5-\$10, \$20/\$30"),
        ("US$5 and A$6", r"US\$5 and A\$6"),
        ("价格$5，优惠后$3元", r"价格\$5，优惠后\$3元"),
        ("a $30 coat, and 40$.", r"a \$30 coat, and 40\$."),
        ("$HOME/bin and $PATH", r"\$HOME/bin and \$PATH"),
        (r"\$5 is escaped already", r"\$5 is escaped already"),
        ("$ alone", r"\$ alone"),
    ],
)
def test_money_stays_money(written: str, fitted: str) -> None:
    assert for_streamlit(written) == fitted


@pytest.mark.parametrize(
    "formula_in_text",
    [
        "$x$",
        "so $x_1 + 2$ holds",
        "$f(x)=2$.",
        "设$x$为正",
        r"$\text{cost } \$5$",
        "$10$",
        "a $$x$$ b",
    ],
)
def test_real_math_stays_math(formula_in_text: str) -> None:
    assert for_streamlit(formula_in_text) == formula_in_text


def test_money_and_math_live_side_by_side() -> None:
    assert for_streamlit("$x$ costs $5") == r"$x$ costs \$5"
    assert for_streamlit("pay $5, and $x$ is") == r"pay \$5, and $x$ is"


@pytest.mark.parametrize(
    ("written", "fitted"),
    [
        (r"so \(x\) holds", "so $x$ holds"),
        (r"\( a + b \)", "$a + b$"),
        (r"\(x\)2", "$$x$$2"),
        (r"\[ x = 1 \]", "$$\nx = 1\n$$"),
        ("\\[\n  x\n\n  = 1\n\\]", "$$\nx\n= 1\n$$"),
        ("- so\n  \\[\n  x=1\n  \\]", "- so\n  $$\n  x=1\n  $$"),
        (r"mid \[ x=1 \] line", "mid $$x=1$$ line"),
        ("$$x=1$$", "$$\nx=1\n$$"),
        (r"\[just brackets\]", r"\[just brackets\]"),
        (r"mid \[brackets\] line", r"mid \[brackets\] line"),
        (r"C:\(files\)", r"C\:$files$"),
        (r"\(never closed", r"\(never closed"),
    ],
)
def test_the_brackets_of_latex_become_dollar_signs(written: str, fitted: str) -> None:
    assert for_streamlit(written) == fitted


@pytest.mark.parametrize(
    "untouched",
    [
        "`$5 a:b`",
        "``a ` $5 b:c``",
        "- x\n  ```sh\n  echo $A:$B\n  ```\n- y",
        "<https://x.y:80/$5:a>",
        "https://x.y:80/a:b",
        "[a](https://x.y/a:b)",
        '<a href="x:y">',
        "[1]: https://x.y:80",
        "| :-- | :-: | --: |",
        "~~struck~~",
    ],
)
def test_code_links_and_tags_pass_untouched(untouched: str) -> None:
    assert for_streamlit(untouched) == untouched


@pytest.mark.parametrize(
    ("written", "fitted"),
    [
        (":smile: at 12:30:45", r"\:smile\: at 12\:30\:45"),
        (":red[x] note:see[1]", r"\:red[x] note\:see[1]"),
        (":material/delete:", r"\:material\/delete\:"),
        (":::tip\nhi\n:::", "\\:\\:\\:tip\nhi\n\\:\\::"),
        ("每天3~5次，10~15分钟", r"每天3\~5次，10\~15分钟"),
    ],
)
def test_streamlits_own_marks_are_taken_from_it(written: str, fitted: str) -> None:
    assert for_streamlit(written) == fitted


def test_images_become_links() -> None:
    assert for_streamlit("![a b](http://x/y.png)") == "[🖼 a b](http://x/y.png)"
    assert for_streamlit("![a][ref]") == "[🖼 a][ref]"
    assert for_streamlit("Wow! [a](b)") == "Wow! [a](b)"


def test_footnotes_are_shown_as_written() -> None:
    assert for_streamlit("[^1]: a note") == r"\[^1]: a note"


@pytest.mark.parametrize(
    ("written", "fitted"),
    [
        ("**注意：**请看", f"**注意：**{HAIR_SPACE}请看"),
        ("请**（注意）**看", f"请{HAIR_SPACE}**（注意）**{HAIR_SPACE}看"),
        ("**重点**：看", "**重点**：看"),
        ("a **b** c", "a **b** c"),
        ("**a:b $5**", r"**a\:b \$5**"),
        ("2 ** 3 ** 4", "2 ** 3 ** 4"),
    ],
)
def test_bold_chinese_beside_punctuation_is_bold(written: str, fitted: str) -> None:
    assert for_streamlit(written) == fitted


def test_a_line_break_in_a_table_cell_is_one() -> None:
    assert table_for_streamlit("| a<br>b | c<BR/>d |") == "| a&#10;b | c&#10;d |"


@pytest.mark.parametrize(
    "block", ["$$x\n\n+ y$$", "\\[ x\n+ y\\]", "$$\nx\n+ y\n$$", "  \\[x\n  + y\n  \\]"]
)
def test_a_display_formula_has_its_dollar_signs_on_lines_of_their_own(block: str) -> None:
    assert formula(block) == "$$\nx\n+ y\n$$"


@pytest.mark.parametrize(
    ("growing", "shown"),
    [
        ("a **bo", "a **bo**"),
        ("a **bold*", "a **bold**"),
        ("a **", "a "),
        ("a **b** c", "a **b** c"),
        ("run `co", "run `co`"),
        ("see [text](http://exa", "see text"),
        ("see [text](http://x) and", "see [text](http://x) and"),
        ("- **a**\n- **b", "- **a**\n- **b**"),
        ("- x\n  ```py\n  2**3", "- x\n  ```py\n  2**3"),
    ],
)
def test_marks_left_open_by_the_last_line_are_closed(growing: str, shown: str) -> None:
    assert mended(growing) == shown


def test_a_label_has_nothing_left_to_format() -> None:
    assert plain(" *a*\n`b` :c: [d] ") == r"\*a\* \`b\` \:c\: \[d\]"


@pytest.mark.parametrize(
    "hostile",
    [
        "\\[",
        "\\(",
        "$a ",
        "$$a",
        "`a``b",
        "<a ",
        "![a",
        "[a",
        "**a",
        "** ",
        ":",
        "~",
        "```\n",
        "> ",
    ],
)
def test_hostile_text_takes_no_long_time(hostile: str) -> None:
    # Quadratic, any of these would run for minutes.
    assert for_streamlit(hostile * 50_000)


@pytest.mark.parametrize(
    ("written", "fitted"),
    [
        ("See [table.csv](sandbox:/mnt/data/table.csv).", "See table.csv."),
        ("![the *chart*](sandbox:/mnt/data/a.png)", "the *chart*"),
        ("**[a: 1](<sandbox:/mnt/data/a>)**", r"**a\: 1**"),
        ("[a](sandbox:/b) [c](https://d.example)", "a [c](https://d.example)"),
        ("`[a](sandbox:/b)`", "`[a](sandbox:/b)`"),
    ],
)
def test_a_link_into_the_room_where_code_ran_is_text(written: str, fitted: str) -> None:
    assert for_streamlit(written) == fitted
