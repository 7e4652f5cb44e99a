"""Page layer: the dialog about the model that answers: what it can do, and what it cannot."""

from datetime import datetime
from urllib.parse import urlsplit

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from streamlit_assistant.chatbot import ChatError, ModelCheck, ModelReport, ModelState
from streamlit_assistant.ui.markdown_text import plain
from streamlit_assistant.ui.session import Page
from streamlit_assistant.ui.texts import Texts
from streamlit_assistant.ui.time_zone import time_zone

OFFLINE = "offline"
# In the session's state: the dialog is open, and the button in it was pressed.
OPEN, WANTED = "model_dialog_open", "model_test_wanted"
WORDS = {"yes": "has", "partly": "partly", "no": "lacks"}  # which words go with a verdict
MARKS = {
    "yes": ":green[:material/check_circle:]",
    "partly": ":orange[:material/error:]",
    "no": ":red[:material/cancel:]",
    "unknown": ":gray[:material/help:]",
}
# Nobody misses it: a model that does not think aloud only answers sooner.
NEUTRAL = {("reasoning", "no"): ":gray[:material/remove_circle:]"}


def open_model_dialog() -> None:
    """Have the dialog drawn from now on, until the person closes it; for callbacks."""
    st.session_state[OPEN] = True


def draw_model_dialog(page: Page) -> None:
    """Draw the dialog if it is open; only then is the server asked who answers."""
    # The end of an answer draws the whole page again, which must not close it.
    if st.session_state.get(OPEN):
        st.dialog(page.texts("model.title"), width="medium", on_dismiss=_close)(_draw)(page)


def explanation(texts: Texts, check: ModelCheck) -> str:
    """What the test of a capability means for whoever uses the page."""
    key = f"model.{WORDS.get(check.verdict, '')}.{check.name}"
    if (check.name, check.verdict) == ("context_length", "unknown"):
        key = "model.lacks.context_length"
    if key not in texts:
        return texts("model.undecided")
    return texts(key, figure=_figure(check))


def _draw(page: Page) -> None:
    with st.container(key="model-dialog"):
        try:
            state = page.bot.model()
            if state is None:
                st.caption(page.texts("model.silent"))
            elif state.api == OFFLINE:
                st.info(page.texts("model.offline"), icon=":material/info:")
            else:
                _draw_model(page, state)
        except ChatError as error:
            st.warning(page.texts(f"problem.{error.kind}"), icon=":material/error:")


def _draw_model(page: Page, state: ModelState) -> None:
    """Draw what is known; before that, if there is a test to be followed, how far it has come."""
    texts = page.texts
    _draw_facts(texts, state)
    place = st.empty()
    if st.session_state.pop(WANTED, False) or state.progress is not None:
        state = _followed_test(page, state, place)
    with place.container():
        _draw_findings(texts, state)
        # Streamlit begins with what is pressed here when the page's script has ended.
        st.caption(texts("model.waits" if _is_answering(page) else "model.cost"))
        st.button(
            texts("model.test" if state.report is None else "model.again"),
            key="test-model",
            icon=":material/labs:",
            on_click=_want_test,
        )


def _is_answering(page: Page) -> bool:
    run = page.chat.latest_run()
    return run is not None and run.active


def _followed_test(page: Page, state: ModelState, place: DeltaGenerator) -> ModelState:
    for state in page.bot.test_model():
        if state.progress is not None:
            done, of = state.progress
            words = page.texts("model.testing", done=done, of=of)
            place.progress(min(done / max(of, 1), 1.0), words)
    return state


def _close() -> None:
    st.session_state[OPEN] = False


def _want_test() -> None:
    st.session_state[WANTED] = True


def _draw_facts(texts: Texts, state: ModelState) -> None:
    protocol = f"model.api.{state.api}"
    with st.container(key="model-facts", gap=None):
        _draw_fact(texts("model.model"), state.model or "?")
        _draw_fact(texts("model.server"), urlsplit(state.server).netloc or state.server)
        _draw_fact(texts("model.protocol"), texts(protocol) if protocol in texts else state.api)
    if state.shutdown_date:
        words = texts("model.shutdown_soon", date=plain(state.shutdown_date))
        st.warning(words, icon=":material/event_busy:")


def _draw_findings(texts: Texts, state: ModelState) -> None:
    if state.problem:
        st.warning(texts("model.lacks.streaming"), icon=":material/error:")
        st.caption(plain(state.problem))
    if state.report is None:
        st.caption(texts("model.untested"))
    else:
        _draw_report(texts, state.report)


def _draw_fact(name: str, value: str) -> None:
    st.markdown(f":gray[{name}] {plain(value)}")


def _draw_report(texts: Texts, report: ModelReport) -> None:
    with st.container(key="model-checks", gap=None):
        for check in _worth_saying(report):
            mark = NEUTRAL.get((check.name, check.verdict)) or MARKS.get(check.verdict, "")
            name = texts(f"model.name.{check.name}") if _is_known(texts, check) else check.name
            st.markdown(f"{mark} **{name}** {explanation(texts, check)}")
    when = datetime.fromtimestamp(report.tested_at, time_zone())
    key = "model.tested_about" if report.is_estimated else "model.tested"
    st.caption(texts(key, when=f"{when:%Y-%m-%d %H:%M}", tokens=f"{report.tokens:,}"))
    with st.expander(texts("model.details")):
        for check in report.checks:
            if _is_known(texts, check):
                st.text(f"{texts(f'model.name.{check.name}')}: {check.detail}")


def _worth_saying(report: ModelReport) -> list[ModelCheck]:
    """The checks without those that say the same again: how tools are called that are not."""
    toolless = ("tools", "no") in {(check.name, check.verdict) for check in report.checks}
    unsaid = {"parallel_tools", "tool_choice"} if toolless else set()
    return [check for check in report.checks if check.name not in unsaid]


def _is_known(texts: Texts, check: ModelCheck) -> bool:
    return f"model.name.{check.name}" in texts


def _figure(check: ModelCheck) -> str:
    if check.figure is None:
        return "?"
    return f"{check.figure:,.0f}" if check.figure >= 10 else f"{max(check.figure, 0.1):.1f}"
