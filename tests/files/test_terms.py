"""The words under which texts are found."""

import pytest

from streamlit_assistant.files.terms import MOST_CACHED, Analyzer, QueryTerm, seam


@pytest.fixture
def analyzer() -> Analyzer:
    return Analyzer()


def words_of(analyzer: Analyzer, query: str) -> list[str]:
    return [term.text for term in analyzer.of_query(query)]


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("Running", "run"),
        ("policies", "polici"),
        ("Café", "cafe"),
        ("ＡＢＣ１２", "abc12 abc 12"),
        ("Straße", "strass"),
        ("v1.2.3", "v1.2.3 v1"),
        ("foo_bar", "foo_bar foo bar"),
        ("getUserName", "getusernam get user name"),
        ("GPT-4", "gpt-4 gpt"),
        ("well-known", "well known"),
        ("C++", "c++"),
        ("C#", "c#"),
        ("1,000.5", "1000.5"),
        ("120,345", "120345 345"),
        ("111,222,333,444,555,666,777", "111 222 333 444 555 666 777"),
        ("2026-05-06", "2026-05-06 2026 05 06"),
        ("ann@example.com", "ann@example.com ann exampl com"),
        ("Привет", "привет"),
        ("x" * 100, "x" * 64),
    ],
)
def test_words_are_folded_and_identifiers_kept(
    analyzer: Analyzer, written: str, found: str
) -> None:
    assert analyzer.of_text(written).split() == found.split()


def test_a_text_and_a_query_meet_in_every_form_of_a_word(analyzer: Analyzer) -> None:
    for text, query in [
        ("indexed", "indexing"),
        ("报销制度", "报销"),
        ("ｱｲｳ", "アイ"),
        ("ÉTÉ", "été"),
    ]:
        assert set(words_of(analyzer, query)) <= set(analyzer.of_text(text).split())


def test_scripts_without_spaces_are_taken_in_characters_and_pairs(analyzer: Analyzer) -> None:
    assert analyzer.of_text("年假，天").split() == ["年", "假", "天", "年假"]
    assert analyzer.of_text("한국어").split() == ["한", "국", "어", "한국", "국어"]


def test_languages_mixed_in_one_sentence_all_count(analyzer: Analyzer) -> None:
    found = analyzer.of_text("用Python写API").split()

    assert {"python", "api", "用", "写"} <= set(found)


def test_a_question_is_asked_without_the_words_that_say_nothing(analyzer: Analyzer) -> None:
    assert words_of(analyzer, "What is the policy for travel?") == ["polici", "travel"]
    assert words_of(analyzer, "请问年假有多少") == ["年假", "假有"]


def test_a_pair_with_a_particle_may_be_no_word(analyzer: Analyzer) -> None:
    assert analyzer.of_query("公司的年假") == [
        QueryTerm("公司"),
        QueryTerm("司的", is_seam=True),
        QueryTerm("的年", is_seam=True),
        QueryTerm("年假"),
    ]


@pytest.mark.parametrize("query", ["to be or not to be", "什么", "的"])
def test_a_question_of_nothing_else_is_asked_all_the_same(analyzer: Analyzer, query: str) -> None:
    assert words_of(analyzer, query)


@pytest.mark.parametrize("query", ["", "?!…", "\n"])
def test_a_question_without_words_asks_for_nothing(analyzer: Analyzer, query: str) -> None:
    assert words_of(analyzer, query) == []


def test_a_single_character_is_asked_for_as_it_is(analyzer: Analyzer) -> None:
    assert words_of(analyzer, "税") == ["税"]


def test_a_cut_within_a_run_loses_one_pair() -> None:
    assert seam("年", "假期") == "年假"
    assert seam("年。", "假") == ""
    assert seam("年", "") == ""


def test_the_memory_for_words_is_bounded(analyzer: Analyzer) -> None:
    analyzer.of_text(" ".join(f"w{number}" for number in range(MOST_CACHED + 10)))

    assert analyzer.of_text("w1 words") == "w1 word"
