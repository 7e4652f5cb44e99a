"""Page layer: what went wrong or came to an end, in plain words, with a way on."""

from collections.abc import Callable

import streamlit as st

from streamlit_assistant.chatbot import Ending, Notice, RunState
from streamlit_assistant.ui.composer import stop_answer, take_back, try_again
from streamlit_assistant.ui.markdown_text import plain
from streamlit_assistant.ui.session import Page, Problem, go_to
from streamlit_assistant.ui.transcript import Thread

UNNAMED = "default"  # the model of whoever names none
# The ways on: the icon of each button and what it does.
WAYS: dict[str, tuple[str, Callable[[Page], None]]] = {
    "retry": ("refresh", try_again),
    "continue": ("resume", try_again),
    "edit": ("edit", take_back),
    "cancel": ("cancel", stop_answer),
    "new": ("add", lambda page: go_to(page, None)),
}


def draw_notices(page: Page, thread: Thread, *, full: bool) -> None:
    """Say all there is to say about a chat in which nothing is being written."""
    draw_last_notice(page)
    unsent = page.unsent[0].problem if page.unsent else None
    if problem := thread.problem or unsent:
        draw_problem(page, problem)
    elif thread.is_unfinished:
        _draw_ending(page, thread)
    draw_run_notices(page, thread)
    if full:
        _draw_box(page, "notice.full", "forum")
        _draw_ways(page, "new")


def draw_run_notices(page: Page, thread: Thread) -> None:
    """Say how the newest answer came about, where that is not as one would think."""
    for notice in thread.run.notices if thread.run else ():
        st.caption(f":material/info: {plain(_noted(page, notice))}")


def _noted(page: Page, notice: Notice) -> str:
    try:
        return page.texts(_note_key(notice), **notice.details)
    except KeyError:
        # Another server's: better said in English than not at all.
        return notice.message


def _note_key(notice: Notice) -> str:
    asked = notice.details.get("asked")
    if notice.code == "fallback" and asked == notice.details.get("answered"):
        return "note.fallback.same"  # a model of two servers
    if notice.code == "fallback" and asked == UNNAMED:
        return "note.fallback.default"
    return f"note.{notice.code}"


def draw_last_notice(page: Page) -> None:
    """Say what the last click led to."""
    if page.state.notice:
        _draw_box(page, f"notice.{page.state.notice}", "info")
    if problem := page.state.problem:
        _draw_box(page, f"problem.{problem.kind}", "error")
        _draw_details(page, problem.detail, problem.request_id)


def draw_problem(page: Page, problem: Problem) -> None:
    """Say what the API's refusal or silence means, and offer to try again."""
    _draw_box(page, f"problem.{problem.kind}", "error")
    _draw_details(page, problem.detail, problem.request_id)
    _draw_ways(page, "retry", *(["edit"] if page.unsent else []))


def _draw_ending(page: Page, thread: Thread) -> None:
    run = thread.run
    if run is None or run.ending is Ending.COMPLETED:
        _draw_box(page, "ending.unanswered", "info")
        _draw_ways(page, "retry")
        return
    failed = run.ending in (Ending.FAILED, Ending.EXPIRED)
    _draw_box(page, _ending_key(page, run), "error" if failed else "info")
    _draw_details(page, run.error_message, page.state.request_id)
    if run.ending is Ending.REQUIRES_ACTION:
        _draw_ways(page, "cancel")
    else:
        goes_on = not failed and thread.messages[-1].role == "assistant"
        # What the model will not take is refused again; a new chat begins without it.
        refused = run.error_code == "invalid_prompt"
        _draw_ways(page, "continue" if goes_on else "retry", *(["new"] if refused else []))


def _ending_key(page: Page, run: RunState) -> str:
    reason = run.error_code
    if reason is None and run.ending is Ending.INCOMPLETE:
        # The protocol's runs have words for limits only: what else cuts an answer off is a filter.
        reason = "content_filter"
    precise = f"ending.{run.status}.{reason}"
    return precise if precise in page.texts else f"ending.{run.status}"


def _draw_box(page: Page, key: str, icon: str) -> None:
    draw = st.warning if icon == "error" else st.info
    draw(page.texts(key), icon=f":material/{icon}:")


def _draw_details(page: Page, detail: str | None, request_id: str | None) -> None:
    if detail:
        with st.expander(page.texts("details.title")):
            st.text(detail)
    if request_id:
        # In sight, so that it is in every screenshot: the server's log is searched with it.
        shown = request_id.replace("`", "")
        st.caption(f"{page.texts('details.request')} `{shown}`")


def _draw_ways(page: Page, *ways: str) -> None:
    with st.container(horizontal=True, gap="small"):
        for way in ways:
            icon, act = WAYS[way]
            st.button(
                page.texts(f"way.{way}"),
                key=f"way-{way}",
                icon=f":material/{icon}:",
                on_click=act,
                args=(page,),
            )
