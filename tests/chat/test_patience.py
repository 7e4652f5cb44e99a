import itertools

import pytest

from streamlit_assistant.chat.chat_errors import ChatError
from streamlit_assistant.chat.patience import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    SHORTEST_PAUSE,
    SIGN_OF_LIFE_INTERVAL,
    Patience,
)
from tests.chat.fake_time import FakeTime


class Answers:
    """Gives these answers one after the other, the last one for ever, and notes when."""

    def __init__(self, time: FakeTime, *answers: ChatError | str) -> None:
        self._time = time
        self._answers = list(answers)
        self.times: list[float] = []

    def __call__(self) -> str:
        self.times.append(self._time.now)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, ChatError):
            raise answer
        return answer

    @property
    def pauses(self) -> list[float]:
        return [later - sooner for sooner, later in itertools.pairwise(self.times)]


def trouble(retry_after: float | None = None) -> ChatError:
    return ChatError("server", "Oops.", transient=True, retry_after=retry_after)


def test_a_good_answer_costs_no_time() -> None:
    time = FakeTime()

    assert Patience(time.timing, 60).call(Answers(time, "yes")) == "yes"
    assert time.naps == []


def test_pauses_grow_from_the_first_to_the_longest_with_jitter() -> None:
    time = FakeTime()
    answers = Answers(time, *[trouble()] * 8, "yes")

    assert Patience(time.timing, 60).call(answers) == "yes"

    for number, pause in enumerate(answers.pauses):
        least = min(FIRST_PAUSE * 2**number, LONGEST_PAUSE)
        assert least <= pause <= min(least + FIRST_PAUSE, LONGEST_PAUSE)
    assert answers.pauses[-1] == LONGEST_PAUSE


def test_two_clients_do_not_pause_in_step() -> None:
    def first_pause() -> float:
        time = FakeTime()
        answers = Answers(time, trouble(), "yes")
        Patience(time.timing, 60).call(answers)
        return answers.pauses[0]

    assert len({first_pause() for _ in range(5)}) > 1


@pytest.mark.parametrize(("asked", "pause"), [(7.0, 7.0), (30.0, 30.0), (0.001, SHORTEST_PAUSE)])
def test_the_server_says_how_long_to_pause_after_a_refusal(asked: float, pause: float) -> None:
    time = FakeTime()
    answers = Answers(time, trouble(retry_after=asked), "yes")

    Patience(time.timing, 60).call(answers)

    assert answers.pauses == [pytest.approx(pause)]


@pytest.mark.parametrize(
    ("proposed", "pause"), [(1.5, 1.5), (90.0, LONGEST_PAUSE), (0.0001, SHORTEST_PAUSE)]
)
def test_the_server_proposes_within_limits_how_long_to_pause_before_another_look(
    proposed: float, pause: float
) -> None:
    time = FakeTime()
    answers = Answers(time, "not yet", "yes")
    looks = Patience(time.timing, 60).insist(
        answers, sign=str, final=lambda got: got == "yes", pause_after=lambda _: proposed
    )

    list(looks)

    assert answers.pauses == [pytest.approx(pause)]


def test_no_silence_is_longer_than_the_sign_of_life_interval() -> None:
    time = FakeTime()
    waiting = Patience(time.timing, 60).insist(Answers(time, trouble(10), "yes"), sign=str)

    assert len(list(waiting)) == 40
    assert max(time.naps) == SIGN_OF_LIFE_INTERVAL


def test_without_an_answer_it_gives_up_in_time_with_the_last_error() -> None:
    time = FakeTime()
    began = time.now

    with pytest.raises(ChatError, match="Oops"):
        Patience(time.timing, 60).call(Answers(time, trouble()))

    assert 50 < time.now - began <= 60


def test_an_answer_in_between_starts_the_patience_anew() -> None:
    time = FakeTime()
    answers = Answers(time, trouble(25), trouble(25), "not yet", trouble(25), trouble(25), "yes")
    looks = Patience(time.timing, 60).insist(answers, sign=str, final=lambda got: got == "yes")

    list(looks)

    assert time.now - answers.times[0] > 100


def test_a_pause_beyond_the_limit_is_not_even_begun() -> None:
    time = FakeTime()

    with pytest.raises(ChatError):
        Patience(time.timing, 60).call(Answers(time, trouble(retry_after=61)))

    assert time.naps == []


def test_a_final_refusal_is_not_tried_again() -> None:
    time = FakeTime()
    answers = Answers(time, ChatError("unauthorized", "No."), "yes")

    with pytest.raises(ChatError, match=r"No\."):
        Patience(time.timing, 60).call(answers)

    assert len(answers.times) == 1


def test_other_errors_pass_untouched() -> None:
    time = FakeTime()

    def interrupt() -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Patience(time.timing, 60).call(interrupt)
