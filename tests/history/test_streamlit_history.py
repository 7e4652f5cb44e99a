"""Histories in the state of a session: the contract, and what scripts do to them."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from streamlit.testing.v1 import AppTest

from streamlit_assistant.history import StreamlitHistory, open_history
from streamlit_assistant.history.entries import Entry
from streamlit_assistant.history.history_errors import BadAddress, HistoryError
from streamlit_assistant.history.session_log import SessionLog
from streamlit_assistant.history.stored_history import StoredHistory
from tests.history.contract import HistoryContract

HERE = Path(__file__).parent


class Sessions:
    """Histories in one mapping, which stands in for a session's state."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {}

    def history(self, session_id: str) -> StoredHistory:
        return StoredHistory(SessionLog(self.state, session_id))


class TestSessionLog(HistoryContract):
    """What every history must do."""

    @pytest.fixture
    def store(self) -> Sessions:
        return Sessions()


def test_what_is_kept_is_plain_data() -> None:
    sessions = Sessions()
    sessions.history("a").add_messages([HumanMessage("hi", id="m1"), AIMessage("there")])
    sessions.history("a").remove_messages(["m1"])

    assert json.loads(json.dumps(sessions.state)) == sessions.state


def test_whoever_is_interrupted_has_written_all_or_nothing() -> None:
    class Interrupted(BaseException):
        pass

    class Interrupting(dict[str, Any]):
        def __setitem__(self, key: str, value: Any) -> None:
            raise Interrupted

    kept: dict[str, Any] = {}
    StoredHistory(SessionLog(kept, "a")).add_user_message("before")
    interrupted = StoredHistory(SessionLog(Interrupting(kept), "a"))
    begun = StoredHistory(SessionLog(Interrupting(kept), "b"))
    before = json.dumps(kept)

    for call in (
        partial(begun.add_messages, [HumanMessage("1"), HumanMessage("2")]),
        interrupted.clear,
    ):
        with pytest.raises(Interrupted):
            call()
    assert json.dumps(kept) == before
    StoredHistory(SessionLog(kept, "a")).add_user_message("after")  # and nobody waits for it


def test_a_message_that_cannot_be_read_harms_no_other() -> None:
    kept: dict[str, Any] = {}
    log = SessionLog(kept, "a")
    log.append([Entry("1", "one", "one"), Entry("2", "two", "two")])

    def make(body: str) -> str:
        if body == "two" and not mended:
            raise ValueError(body)
        return body.upper()

    mended = False
    with pytest.raises(ValueError, match="two"):
        log.made(make)
    mended = True
    assert log.made(make) == ["ONE", "TWO"]
    log.append([Entry("3", "three", "three")])
    log.remove(["1"])
    assert log.made(make) == ["TWO", "THREE"]


def test_what_somebody_else_keeps_there_is_left_alone() -> None:
    sessions = Sessions()
    sessions.state["a"] = [HumanMessage("LangChain's own")]
    history = sessions.history("a")

    for call in (lambda: history.messages, history.clear, lambda: history.add_user_message("x")):
        with pytest.raises(HistoryError, match="something else is stored under 'a'"):
            call()
    assert len(sessions.state["a"]) == 1


def run_script(name: str) -> AppTest:
    """A script in a session of its own, after its first run."""
    return AppTest.from_file(str(HERE / name), default_timeout=20).run()


def open_script() -> AppTest:
    return run_script("session_script.py")


def shown(app: AppTest) -> list[list[str]]:
    """What is in the two histories of the script."""
    assert not app.exception
    return [json.loads(element.value) for element in app.json]


def say(app: AppTest, text: str) -> AppTest:
    return app.text_input[0].set_value(text).run()


def click(app: AppTest, label: str) -> AppTest:
    return next(button for button in app.button if button.label == label).click().run()


def test_it_is_kept_over_reruns() -> None:
    app = say(say(open_script(), "one"), "二 😀")
    app = say(app, "")

    assert shown(app.run()) == [["one", "二 😀"], []]


def test_two_sessions_never_share_it() -> None:
    first, second = open_script(), open_script()
    say(first, "mine")
    say(second, "yours")

    assert shown(first)[0] == ["mine"]
    assert shown(second)[0] == ["yours"]
    assert shown(open_script()) == [[], []]


def test_several_keys_stand_side_by_side() -> None:
    app = say(open_script(), "to the one")
    app.text_input[0].set_value("")
    app.text_input[1].set_value("to the other").run()

    assert shown(app) == [["to the one"], ["to the other"]]


def test_clear_empties_one_key() -> None:
    app = say(open_script(), "one")
    app.text_input[0].set_value("")
    app.text_input[1].set_value("kept").run()
    app.text_input[1].set_value("")
    click(app, "clear")

    assert shown(app.run()) == [[], ["kept"]]


@pytest.mark.parametrize(
    ("label", "text"), [("forget", "after forgetting"), ("drop", "after dropping")]
)
def test_the_object_in_hand_goes_on_after_the_state_was_emptied(label: str, text: str) -> None:
    app = say(say(open_script(), "one"), "")

    assert shown(click(app, label))[0] == [text]
    assert shown(app.run())[0] == [text]


@pytest.mark.filterwarnings("ignore:RunnableWithMessageHistory is deprecated")
def test_chains_use_it_from_threads_of_their_own() -> None:
    app = run_script("session_chain_script.py")

    assert shown(app)[0] == ["first", "one", "second", "two", "third", "three"]


def test_a_thread_has_a_session_if_it_was_started_in_its_context() -> None:
    said, told = shown(run_script("session_thread_script.py"))

    assert said == ["from a thread"]
    assert ["no Streamlit session" in error for error in told] == [True]


def test_outside_a_script_there_is_no_session() -> None:
    history = StreamlitHistory()

    for call in (lambda: history.messages, lambda: history.add_user_message("x")):
        with pytest.raises(HistoryError, match="there is no Streamlit session here"):
            call()


def test_a_history_that_all_sessions_share_shows_each_its_own() -> None:
    first, second = run_script("session_shared_script.py"), run_script("session_shared_script.py")

    assert shown(say(first, "mine")) == [["mine"]]
    assert shown(second.run()) == [[]]
    assert shown(say(second, "yours")) == [["yours"]]
    assert first.text[0].value == second.text[0].value  # the same object


def test_the_address_of_a_session_takes_the_key_as_its_name() -> None:
    history = open_history("streamlit:", "my key")

    assert isinstance(history, StreamlitHistory)
    assert history.key == "my key"
    with pytest.raises(BadAddress, match="streamlit: and nothing more"):
        open_history("streamlit:?ttl=3", "my key")
