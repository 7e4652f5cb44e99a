"""How an answer is drawn while it is written, on a surface that takes notes."""

from dataclasses import dataclass
from typing import cast

import pytest
from streamlit.delta_generator import DeltaGenerator

from streamlit_assistant.catalogue import ENGLISH
from streamlit_assistant.chatbot import Waiting
from streamlit_assistant.ui.answer import FRAMES_PER_SECOND, AnswerView, Pacer
from streamlit_assistant.ui.drawing import draw_answer
from streamlit_assistant.ui.texts import load_texts
from tests.ui.drawing_surface import Drawn, Slot

EN = load_texts(ENGLISH)


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def surface() -> Slot:
    return Slot([])


@pytest.fixture
def view(surface: Slot, clock: Clock) -> AnswerView:
    return AnswerView(cast(DeltaGenerator, surface), EN, clock)


def finished(text: str) -> list[Drawn]:
    surface = Slot([])
    draw_answer(cast(DeltaGenerator, surface.container()), text)
    return surface.seen()


def stream(view: AnswerView, clock: Clock, text: str, per_second: int = 250) -> None:
    for start in range(0, len(text), 4):
        view.write(text[start : start + 4])
        clock.now += 1 / per_second


def test_the_first_word_is_drawn_at_once(view: AnswerView, surface: Slot) -> None:
    view.write("Hello")

    assert surface.seen() == [("markdown", "Hello")]


def test_what_is_not_drawn_yet_is_drawn_with_the_next_sign_of_life(
    view: AnswerView, surface: Slot
) -> None:
    for word in ("One ", "two ", "three ", "four"):
        view.write(word)
    assert surface.seen() != [("markdown", "One two three four")]

    view.wait(Waiting(1.0, "in_progress"))

    assert surface.seen()[0] == ("markdown", "One two three four")


def test_words_that_come_slowly_are_each_drawn_at_once(
    view: AnswerView, clock: Clock, surface: Slot
) -> None:
    for count in range(50):
        view.write("word ")
        assert len(surface.log) == count + 1
        clock.now += 0.04


def test_frames_come_no_faster_than_the_eye_can_follow(
    view: AnswerView, clock: Clock, surface: Slot
) -> None:
    stream(view, clock, "word " * 2000, per_second=500)

    seconds = 2000 * 5 / 4 / 500
    assert len(surface.log) <= seconds * FRAMES_PER_SECOND + 20  # pieces settled on the way


SAMPLES = {
    "paragraphs": "Some **bold** words and `code`, a price of $5.\n\n" * 250,
    "one paragraph": "some words in a row, " * 600,
    "chinese": "大语言模型逐个预测下一个词，" * 900,
    "code": "```python\n" + "x = some_function(1, 2)\n" * 500 + "```",
    "list": "".join(f"{n}. an item of the list\n   - with a part\n" for n in range(1, 300)),
    "table": "| a | b |\n|---|---|\n" + "| some | cells |\n" * 700,
}


@pytest.mark.parametrize("name", SAMPLES)
def test_drawing_costs_time_linear_in_the_length(
    view: AnswerView, clock: Clock, surface: Slot, name: str
) -> None:
    text = SAMPLES[name]
    assert len(text) > 10_000

    stream(view, clock, text)

    # Each frame redraws a piece at most; each piece is drawn once more when it is settled.
    frames = len(text) / 4 / 250 * FRAMES_PER_SECOND
    assert sum(map(len, surface.log)) < frames * 1000 + 3 * len(text)


@pytest.mark.parametrize("name", SAMPLES)
def test_the_streamed_answer_ends_as_the_finished_one_is_drawn(
    view: AnswerView, clock: Clock, surface: Slot, name: str
) -> None:
    text = SAMPLES[name] + "\n\nThe end."

    stream(view, clock, text)
    view.break_off()

    assert surface.seen() == finished(text)


def test_a_block_that_cannot_be_cut_slows_the_frames_down(
    view: AnswerView, clock: Clock, surface: Slot
) -> None:
    stream(view, clock, "```\n" + "one endless line " * 3000)

    assert sum(map(len, surface.log)) < 40 * len("one endless line " * 3000)


def test_open_marks_are_closed_while_they_grow(view: AnswerView, surface: Slot) -> None:
    view.write("some **bold")

    assert surface.seen() == [("markdown", "some **bold**")]


def test_an_unfinished_formula_is_shown_as_source(
    view: AnswerView, clock: Clock, surface: Slot
) -> None:
    view.write("$$\nx")
    assert surface.seen() == [("code latex", "$$\nx")]
    clock.now += 1
    view.write("\n$$\n")

    assert surface.seen() == [("markdown", "$$\nx\n$$")]


def test_a_line_that_only_looked_like_a_new_block_leaves_nothing_behind(
    view: AnswerView, clock: Clock, surface: Slot
) -> None:
    view.write("Nothing\n#")
    assert len(surface.seen()) == 2
    clock.now += 1
    view.write("5 is a number")

    assert surface.seen() == [("markdown", "Nothing\n#5 is a number")]


def test_a_long_line_that_turns_out_to_head_a_table_is_drawn_as_one(
    view: AnswerView, clock: Clock, surface: Slot
) -> None:
    head = "| " + "a word " * 200 + "| b |"

    stream(view, clock, f"{head}\n|---|---|\n| 1 | 2 |")
    view.wait(Waiting(9.0, "in_progress"))

    assert surface.seen() == finished(f"{head}\n|---|---|\n| 1 | 2 |")


def test_link_targets_are_not_drawn(view: AnswerView, surface: Slot) -> None:
    view.write("text\n\n[a]: http://x\n\n")

    assert surface.seen() == [("markdown", "text")]


# ---- the status line ----


def test_an_answer_that_begins_at_once_shows_no_status(view: AnswerView, surface: Slot) -> None:
    view.wait(Waiting(0.05, "queued"))

    assert surface.seen() == []


@pytest.mark.parametrize(
    ("elapsed", "status", "words"),
    [
        (0.5, "queued", ":shimmer[Waiting for its turn…]"),
        (0.5, "in_progress", ":shimmer[Thinking…]"),
        (3.7, "queued", ":shimmer[Waiting for its turn…] 3 s"),
        (3.7, "in_progress", ":shimmer[Thinking…] 3 s"),
    ],
)
def test_the_status_says_what_is_waited_for(
    view: AnswerView, surface: Slot, elapsed: float, status: str, words: str
) -> None:
    view.wait(Waiting(elapsed, status))

    assert [text.strip() for _, text in surface.seen()] == [words]


@pytest.mark.parametrize(
    ("position", "words"),
    [
        (None, "Waiting for its turn…"),
        (1, "Waiting for its turn…"),
        (2, "Waiting for its turn, 1 ahead of it…"),
        (31, "Waiting for its turn, 30 ahead of it…"),
    ],
)
def test_the_status_says_how_many_are_ahead(
    view: AnswerView, surface: Slot, position: int | None, words: str
) -> None:
    view.wait(Waiting(2.0, "queued", position))

    assert surface.seen() == [("markdown", f":shimmer[{words}] 2 s")]


def test_the_status_says_that_the_model_server_rests(view: AnswerView, surface: Slot) -> None:
    view.wait(Waiting(2.0, "in_progress", resting=12))

    assert surface.seen() == [("markdown", f":shimmer[{EN('status.resting')}] 2 s")]


def test_the_status_goes_with_the_first_word_and_returns_in_a_long_silence(
    view: AnswerView, clock: Clock, surface: Slot
) -> None:
    view.wait(Waiting(3.0, "in_progress"))
    view.write("Hello")
    assert surface.seen() == [("markdown", "Hello")]
    clock.now += 1
    view.wait(Waiting(4.0, "in_progress"))
    assert surface.seen() == [("markdown", "Hello")]
    clock.now += 2
    view.wait(Waiting(6.0, "in_progress"))
    assert surface.seen()[-1] == ("markdown", f":shimmer[{EN('status.writing')}]")


def test_an_answer_that_broke_off_before_its_first_word_leaves_no_bubble(
    view: AnswerView, surface: Slot
) -> None:
    view.wait(Waiting(3.0, "queued"))

    view.break_off()

    assert surface.seen() == []


# ---- the pacer ----


def test_after_a_pause_the_next_frame_is_drawn_at_once(clock: Clock) -> None:
    pacer = Pacer(clock)
    while pacer.allows(1.0):
        pass
    clock.now += 0.5

    assert pacer.allows(1.0)


def test_a_heavy_frame_delays_the_next_by_its_weight(clock: Clock) -> None:
    pacer = Pacer(clock)
    assert pacer.allows(14.0)
    clock.now += 12 / FRAMES_PER_SECOND
    assert not pacer.allows(1.0)
    clock.now += 2 / FRAMES_PER_SECOND
    assert pacer.allows(1.0)


def test_even_the_heaviest_frame_delays_the_next_by_no_more_than_a_second(clock: Clock) -> None:
    pacer = Pacer(clock)
    assert pacer.allows(10_000.0)
    clock.now += 1.01

    assert pacer.allows(1.0)
