import pytest

from streamlit_assistant.chatbot import Ending
from tests.chat.scripted_assistants import ScriptedAssistants, both_modes
from tests.chat.scripted_runs import FIRST_DELTA, Break, Cut, RunScript
from tests.chat.updates import finished, shown

every_ending = pytest.mark.parametrize("ending", Ending)


@both_modes
@every_ending
def test_every_ending_is_told_with_the_text_written_so_far(streaming: bool, ending: Ending) -> None:
    server = ScriptedAssistants(RunScript(("Half an ", "ans"), ending=ending))

    updates = list(server.chatbot(streaming=streaming).ask("Hi"))

    assert finished(updates).ending is ending
    assert shown(updates) == finished(updates).text == "Half an ans"


@both_modes
@every_ending
def test_every_ending_is_told_without_any_text(streaming: bool, ending: Ending) -> None:
    server = ScriptedAssistants(RunScript((), ending=ending, posts_message=False))

    updates = list(server.chatbot(streaming=streaming).ask("Hi"))

    assert (finished(updates).ending, finished(updates).message_id) == (ending, None)
    assert shown(updates) == ""


@every_ending
def test_every_ending_is_found_out_after_a_broken_stream(ending: Ending) -> None:
    cuts = (Cut(FIRST_DELTA + 1, Break.RESET),) * 2
    server = ScriptedAssistants(RunScript(("Half an ", "ans"), ending=ending, cuts=cuts))

    updates = list(server.chatbot().ask("Hi"))

    assert finished(updates).ending is ending
    assert shown(updates) == finished(updates).text == "Half an ans"


@both_modes
@every_ending
def test_every_ending_is_found_by_a_late_follower(streaming: bool, ending: Ending) -> None:
    server = ScriptedAssistants(RunScript(("Half an ", "ans"), ending=ending))
    bot = server.chatbot(streaming=streaming)
    list(bot.ask("Hi"))

    updates = list(bot.follow("run_1"))

    assert finished(updates).ending is ending
    assert shown(updates) == "Half an ans"


@both_modes
def test_a_failed_run_says_why(streaming: bool) -> None:
    error = {"code": "rate_limit_exceeded", "message": "The model is busy."}
    server = ScriptedAssistants(RunScript(ending="failed", last_error=error))
    bot = server.chatbot(streaming=streaming)

    last = finished(list(bot.ask("Hi")))

    assert (last.error_code, last.error_message) == ("rate_limit_exceeded", "The model is busy.")
    run = bot.latest_run()
    assert run is not None
    assert (run.error_code, run.error_message) == ("rate_limit_exceeded", "The model is busy.")


@both_modes
def test_a_failed_run_without_a_reason_is_told_all_the_same(streaming: bool) -> None:
    server = ScriptedAssistants(RunScript(ending="failed"))

    last = finished(list(server.chatbot(streaming=streaming).ask("Hi")))

    assert (last.ending, last.error_code, last.error_message) == (Ending.FAILED, None, None)


@both_modes
def test_an_incomplete_run_says_what_cut_it_short(streaming: bool) -> None:
    script = RunScript(ending="incomplete", incomplete_reason="max_completion_tokens")
    server = ScriptedAssistants(script)

    last = finished(list(server.chatbot(streaming=streaming).ask("Hi")))

    assert (last.error_code, last.error_message) == ("max_completion_tokens", None)


@both_modes
@pytest.mark.parametrize("ending", [Ending.FAILED, Ending.EXPIRED, Ending.CANCELLED])
def test_a_thread_is_usable_after_a_run_that_went_wrong(streaming: bool, ending: Ending) -> None:
    server = ScriptedAssistants(RunScript(("Hal",), ending=ending), RunScript(("Whole.",)))
    bot = server.chatbot(streaming=streaming)
    list(bot.ask("Hi"))

    assert shown(bot.ask("Once more")) == "Whole."
