"""What the page says of the model."""

from collections.abc import Generator
from dataclasses import replace
from typing import get_args

import pytest
from streamlit.testing.v1 import AppTest

from streamlit_assistant.catalogue import CHINESE, ENGLISH
from streamlit_assistant.chatbot import (
    ModelCheck,
    ModelReport,
    ModelState,
    RunState,
)
from streamlit_assistant.providers.capabilities import Capability, Verdict
from streamlit_assistant.providers.upstream import Api
from streamlit_assistant.ui.model_dialog import explanation
from streamlit_assistant.ui.texts import Texts, load_texts
from tests.ui.conftest import OpenPage
from tests.ui.page_reading import DOWN, EN, ZH, buttons, click
from tests.ui.scripted_bot import NOW, Answer, ScriptedBot

YES = ModelCheck("streaming", "yes", "It comes in 30 pieces.", 40.0)
BLIND = ModelCheck("vision", "no", "image input is not **supported**", None)
KNOWN = ModelState("http://10.0.0.1:8080/v1", "chat", "qwen_3", None, None, None, None)
REPORT = ModelReport((YES, BLIND), NOW, 1234, is_estimated=False)


class TestedBot(ScriptedBot):
    """A bot that knows of a model; `states` are those that a test goes through."""

    __test__ = False

    def __init__(self) -> None:
        super().__init__()
        self.state: ModelState | None = KNOWN
        self.states: list[ModelState] = []

    def model(self) -> ModelState | None:
        self._called("model")
        return self.state

    def test_model(self) -> Generator[ModelState, None, None]:
        self._called("test_model")
        yield from self.states
        self.state = self.states[-1]


@pytest.fixture
def bot() -> TestedBot:
    return TestedBot()


def opened(open_page: OpenPage, locale: str = "en-US") -> AppTest:
    page = click(open_page(locale), "model")
    assert not page.exception
    return page


def after_a_test(page: AppTest) -> AppTest:
    page = click(page, "test-model")
    assert not page.exception
    return page


def lines(page: AppTest) -> list[str]:
    return [each.value for each in page.markdown]


def boxes(page: AppTest) -> list[str]:
    return [box.value for box in [*page.warning, *page.info]]


def captions(page: AppTest) -> list[str]:
    return [caption.value for caption in page.caption]


def test_the_model_is_asked_about_only_when_somebody_wants_to_know(
    open_page: OpenPage, bot: TestedBot
) -> None:
    page = open_page()
    page.chat_input[0].set_value("Hi").run()
    assert "model" not in bot.calls

    click(page, "model")

    assert bot.calls.count("model") == 1
    assert "test_model" not in bot.calls


def test_who_answers_is_named(open_page: OpenPage, bot: TestedBot) -> None:
    page = opened(open_page)

    assert [line for line in lines(page) if line.startswith(":gray[")] == [
        r":gray[Model] qwen\_3",
        r":gray[Server] 10\.0\.0\.1\:8080",
        ":gray[Protocol] Chat Completions",
    ]
    assert EN("model.untested") in captions(page)
    assert page.button(key="test-model").label == EN("model.test")


def test_what_cannot_work_is_explained(open_page: OpenPage, bot: TestedBot) -> None:
    bot.state = replace(KNOWN, report=REPORT)
    page = opened(open_page)

    assert any(line.endswith(f"**Images** {EN('model.lacks.vision')}") for line in lines(page))
    assert any(line.endswith(f"**Streaming** {EN('model.has.streaming')}") for line in lines(page))
    assert [text.value for text in page.text] == [
        "Streaming: It comes in 30 pieces.",
        "Images: image input is not **supported**",
    ]
    # 1,790,000,000 seconds are 22:13 in Shanghai.
    assert "Tested on 2026-09-21 22:13. It cost 1,234 tokens." in captions(page)
    assert page.button(key="test-model").label == EN("model.again")


def test_it_is_explained_in_the_language_of_the_person(open_page: OpenPage, bot: TestedBot) -> None:
    bot.state = replace(KNOWN, report=replace(REPORT, is_estimated=True))
    page = opened(open_page, "zh-CN")

    assert any(line.endswith(f"**图片** {ZH('model.lacks.vision')}") for line in lines(page))
    assert any("大约用了 1,234 个 token" in caption for caption in captions(page))


def test_how_tools_are_called_is_not_said_of_a_model_that_calls_none(
    open_page: OpenPage, bot: TestedBot
) -> None:
    names = ("tools", "parallel_tools", "tool_choice")
    checks = tuple(ModelCheck(name, "no", "It calls no functions.", None) for name in names)
    bot.state = replace(KNOWN, report=replace(REPORT, checks=checks))

    shown = [line for line in lines(opened(open_page)) if "**" in line]

    assert len(shown) == 1
    assert EN("model.lacks.tools") in shown[0]


def test_a_test_shows_how_far_it_has_come_and_then_what_it_has_shown(
    open_page: OpenPage, bot: TestedBot
) -> None:
    bot.states = [
        replace(KNOWN, progress=(0, 11)),
        replace(KNOWN, progress=(7, 11)),
        replace(KNOWN, report=REPORT),
    ]
    page = after_a_test(opened(open_page))

    assert bot.calls.count("test_model") == 1
    assert any(EN("model.lacks.vision") in line for line in lines(page))
    assert page.button(key="test-model").label == EN("model.again")


def test_a_test_that_is_being_made_is_followed_by_whoever_opens_the_dialog(
    open_page: OpenPage, bot: TestedBot
) -> None:
    bot.state = replace(KNOWN, progress=(3, 11))
    bot.states = [bot.state, replace(KNOWN, report=REPORT)]
    page = opened(open_page)

    assert bot.calls.count("test_model") == 1
    assert any(EN("model.lacks.vision") in line for line in lines(page))


def test_while_an_answer_is_written_it_says_when_the_test_will_begin(
    open_page: OpenPage, bot: TestedBot
) -> None:
    bot.open("thread_a", "Hi")
    bot.stored["thread_a"].run = RunState("run_1", "in_progress", None, None)
    bot.stored["thread_a"].answer = Answer()
    bot.refuse["follow"] = DOWN
    page = opened(open_page)

    assert EN("model.waits") in captions(page)
    assert EN("model.cost") not in captions(page)


def test_the_dialog_stays_until_it_is_closed(open_page: OpenPage, bot: TestedBot) -> None:
    page = opened(open_page)
    page.chat_input[0].set_value("Hi").run()
    assert "test-model" in buttons(page)


def test_a_model_that_will_be_switched_off_comes_with_a_warning(
    open_page: OpenPage, bot: TestedBot
) -> None:
    bot.state = replace(KNOWN, shutdown_date="2027-01-14")

    (warning,) = boxes(opened(open_page))

    assert warning.replace("\\", "") == EN("model.shutdown_soon", date="2027-01-14")


def test_a_server_that_is_not_there_is_named_with_its_words(
    open_page: OpenPage, bot: TestedBot
) -> None:
    bot.state = replace(KNOWN, model="", problem="The model server cannot be reached.")
    page = opened(open_page)

    assert boxes(page) == [EN("model.lacks.streaming")]
    assert any("cannot be reached" in caption for caption in captions(page))


def test_without_a_model_it_says_what_to_do(open_page: OpenPage, bot: TestedBot) -> None:
    bot.state = replace(KNOWN, server="", api="offline", model="offline")
    page = opened(open_page)

    assert boxes(page) == [EN("model.offline")]
    assert "test-model" not in buttons(page)


def test_a_server_that_says_nothing_of_its_model_shows_nothing(
    open_page: OpenPage, bot: TestedBot
) -> None:
    bot.state = None
    page = opened(open_page)

    assert EN("model.silent") in captions(page)
    assert "test-model" not in buttons(page)


@pytest.mark.parametrize("call", ["model", "test_model"])
def test_our_own_server_may_be_away(open_page: OpenPage, bot: TestedBot, call: str) -> None:
    bot.refuse[call] = DOWN
    page = opened(open_page)
    if call == "test_model":
        after_a_test(page)

    assert boxes(page) == [EN("problem.unreachable")]


def test_what_another_version_of_the_server_tests_is_shown_as_far_as_it_can_be(
    open_page: OpenPage, bot: TestedBot
) -> None:
    strange = ModelCheck("telepathy", "maybe", "Who knows.", None)
    bot.state = replace(KNOWN, api="mind", report=replace(REPORT, checks=(strange,)))

    assert any(EN("model.undecided") in line for line in lines(opened(open_page)))


@pytest.mark.parametrize(
    "texts", [load_texts(ENGLISH), load_texts(CHINESE)], ids=lambda t: t.language
)
def test_every_verdict_on_every_capability_has_words(texts: Texts) -> None:
    for name in Capability:
        assert f"model.name.{name}" in texts
        for verdict in Verdict:
            assert f"model.verdict.{verdict}" in texts
            assert explanation(texts, ModelCheck(name, verdict, "", 8192.0))
        assert explanation(texts, ModelCheck(name, "yes", "", 1.0)) != texts("model.undecided")
    for api in get_args(Api):
        assert f"model.api.{api}" in texts


@pytest.mark.parametrize(
    ("name", "verdict", "figure", "words"),
    [
        ("latency", "yes", 0.04, "after 0.1 s"),
        ("latency", "partly", 12.34, "after 12 s"),
        ("context_length", "yes", 131072.0, "131,072 tokens"),
        ("context_length", "unknown", None, "does not say how much"),
        ("vision", "unknown", None, "could not tell"),
    ],
)
def test_figures_are_shown_as_people_read_them(
    name: str, verdict: str, figure: float | None, words: str
) -> None:
    assert words in explanation(EN, ModelCheck(name, verdict, "", figure))
