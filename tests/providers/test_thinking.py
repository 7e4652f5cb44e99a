"""Thoughts between tags told apart from the answer, however the text is cut."""

import time
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streamlit_assistant.providers.base import ReasoningDelta, TextDelta
from streamlit_assistant.providers.chat.thinking import Thinking, leaves_tag_out


def read(*pieces: str, opened: bool = False, rescue: bool = False) -> tuple[str, str]:
    """Return what was thought and what was said."""
    thinking = Thinking(opened=opened)
    said = [delta for piece in pieces for delta in thinking.feed(piece)]
    said += thinking.end(rescue=rescue)
    assert all(delta.text for delta in said)
    return joined(said, ReasoningDelta), joined(said, TextDelta)


def joined(said: Sequence[TextDelta | ReasoningDelta], kind: type) -> str:
    return "".join(delta.text for delta in said if isinstance(delta, kind))


@pytest.mark.parametrize(
    ("text", "thought", "answer"),
    [
        ("yes", "", "yes"),
        ("<think>hm</think>yes", "hm", "yes"),
        ("<thinking>hm</thinking>yes", "hm", "yes"),
        ("\n <think>\nhm\n</think>\n\nyes", "hm\n", "yes"),
        ("<think>\n\n</think>\n\nyes", "", "yes"),
        ("<think></think>yes", "", "yes"),
        ("<think>a</think>\n<think>b</think>yes", "ab", "yes"),
        ("<think>a</think>\n\n    indented", "a", "    indented"),
        ("<think>a <b> </thin </thinking> c</think>yes", "a <b> </thin </thinking> c", "yes"),
        ("<think>a</think>yes <think>no</think>", "a", "yes <think>no</think>"),
        ("The tag <think> opens </think> closes.", "", "The tag <think> opens </think> closes."),
        ("```\n<think>\n```", "", "```\n<think>\n```"),
        ("<html>", "", "<html>"),
        ("<thin", "", "<thin"),
        ("<thinker>", "", "<thinker>"),
        ("  indented", "", "  indented"),
        ("\n\n", "", "\n\n"),
        ("", "", ""),
        ("<think>hm", "hm", ""),
        ("<think>hm</th", "hm</th", ""),
    ],
)
def test_tags_at_the_beginning_are_told_apart_in_any_cut(
    text: str, thought: str, answer: str
) -> None:
    for size in range(1, len(text) + 2):
        pieces = [text[n : n + size] for n in range(0, len(text), size)]

        assert read(*pieces) == (thought, answer)


@pytest.mark.parametrize(
    ("text", "thought", "answer"),
    [
        ("hm</think>yes", "hm", "yes"),
        ("<think>hm</think>yes", "hm", "yes"),
        ("\nhm\n</think>\n\nyes <x>", "hm\n", "yes <x>"),
        ("hm</think>yes</think>", "hm", "yes</think>"),
    ],
)
def test_an_expected_thought_needs_no_opening_tag(text: str, thought: str, answer: str) -> None:
    for size in range(1, len(text) + 1):
        pieces = [text[n : n + size] for n in range(0, len(text), size)]

        assert read(*pieces, opened=True) == (thought, answer)


def test_a_thought_that_was_only_expected_is_the_answer_if_it_never_ends() -> None:
    assert read("ye", "s </", opened=True) == ("yes </", "yes </")


def test_a_thought_that_never_ends_is_the_answer_where_there_is_no_other() -> None:
    assert read("<think>ye", "s", rescue=True) == ("yes", "yes")
    assert read("<think>hm</think>yes", rescue=True) == ("hm", "yes")


def test_a_server_that_tells_thoughts_apart_sends_none_in_the_text() -> None:
    thinking = Thinking(opened=True)
    thinking.is_told_apart()

    assert list(thinking.feed("yes")) == [TextDelta("yes")]


def test_text_that_cannot_be_a_tag_flows_at_once() -> None:
    for piece in ("y", "5 < 6", "<b", "<thinner"):
        assert list(Thinking().feed(piece)) == [TextDelta(piece)]


def test_no_more_than_a_tag_is_ever_held_back() -> None:
    text = "</think" * 50 + "x"
    thinking = Thinking()
    list(thinking.feed("<think>"))
    shown = 0
    for place, letter in enumerate(text):
        shown += sum(len(delta.text) for delta in thinking.feed(letter))

        assert place + 1 - shown < len("</think>")


@pytest.mark.parametrize(
    ("text", "learned"),
    [
        ("hm\n</think>\n\nyes", True),
        ("hm </think> yes", None),
        ("of <think>\nhm\n</think>\n\nyes", None),
        ("yes", None),
    ],
)
def test_a_lonely_closing_tag_tells_that_the_opening_one_was_left_out(
    text: str, learned: bool | None
) -> None:
    for size in range(1, len(text) + 1):
        thinking = Thinking()
        for n in range(0, len(text), size):
            list(thinking.feed(text[n : n + size]))

        assert thinking.left_tag_out is learned


def test_whether_the_opening_tag_was_left_out_as_expected_is_known_at_the_end() -> None:
    for text, learned in (("hm</think>yes", True), ("yes", False), ("<think>a</think>b", None)):
        thinking = Thinking(opened=True)
        list(thinking.feed(text))
        list(thinking.end(rescue=False))

        assert thinking.left_tag_out is learned


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("deepseek-r1:7b", True),
        ("DeepSeek-R1-Distill-Qwen-7B-Q4_K_M.gguf", True),
        ("Qwen/QwQ-32B", True),
        ("qwen3-30b-a3b-thinking-2507", True),
        ("qwen3:8b", False),
        ("llama3.2", False),
        ("deepseek-v4", False),
    ],
)
def test_models_that_leave_it_out_are_known_by_name(model: str, expected: bool) -> None:
    assert leaves_tag_out(model) is expected


PIECES = st.lists(
    st.sampled_from(["<think>", "</think>", "<thinking>", "</thinking>", "\n", " ", "a", "<", "b>"])
    | st.text(max_size=3),
    max_size=12,
)


@given(PIECES, st.booleans(), st.booleans())
@example(["<think>", "a", "</think>", "\n", "b"], False, False)
def test_the_cut_makes_no_difference_and_no_letter_is_lost(
    pieces: list[str], opened: bool, rescue: bool
) -> None:
    text = "".join(pieces)

    whole = read(text, opened=opened, rescue=rescue)

    assert read(*pieces, opened=opened, rescue=rescue) == whole
    assert read(*text, opened=opened, rescue=rescue) == whole
    assert letters(text) <= letters("".join(whole))


def letters(text: str) -> set[str]:
    return set(text) - set("</>") - set("thinkg") - {each for each in text if each.isspace()}


def test_a_long_thought_costs_no_more_a_letter_than_a_short_one() -> None:
    def seconds(length: int) -> float:
        thinking = Thinking()
        list(thinking.feed("<think>"))
        began = time.process_time()
        for _ in range(length):
            list(thinking.feed("</thin"))
        return time.process_time() - began

    seconds(1000)
    assert seconds(40_000) < 40 * max(seconds(4000), 0.001)
