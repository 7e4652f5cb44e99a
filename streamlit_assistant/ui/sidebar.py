"""Page layer: the person's chats, grouped by the day they were last used."""

from collections.abc import Iterable
from datetime import datetime
from itertools import groupby

import streamlit as st

from streamlit_assistant.chat.temporary_chat import TEMPORARY
from streamlit_assistant.chatbot import ChatError, ChatThread
from streamlit_assistant.ui.markdown_text import plain
from streamlit_assistant.ui.model_dialog import draw_model_dialog, open_model_dialog
from streamlit_assistant.ui.session import Page, begin_action, go_to
from streamlit_assistant.ui.time_zone import time_zone

CHATS_AT_ONCE = 30
MOST_CHATS = 100  # the API gives no more at once


def draw_sidebar(page: Page, *, api_is_silent: bool) -> None:
    """Draw the list of chats; without the API a word instead of it."""
    with st.sidebar:
        st.button(
            page.texts("sidebar.new"),
            key="new-chat",
            icon=":material/edit_square:",
            width="stretch",
            on_click=go_to,
            args=(page, None),
        )
        # The style sheet treats it as it does the chats.
        st.button(
            page.texts("sidebar.temporary"),
            key=f"{'open-chat' if page.temporary else 'chat'}-{TEMPORARY}",
            icon=":material/visibility_off:",
            type="tertiary",
            width="stretch",
            on_click=go_to,
            args=(page, TEMPORARY),
        )
        chats = None if api_is_silent else _read_chats(page)
        if chats is None:
            st.caption(page.texts("sidebar.unreachable"))
        else:
            _draw_chats(page, chats)
        st.button(
            page.texts("sidebar.model"),
            key="model",
            icon=":material/memory:",
            type="tertiary",
            width="stretch",
            on_click=open_model_dialog,
        )
    draw_model_dialog(page)


def age_group(last_active_at: int, now: datetime) -> str:
    """The group a chat belongs to, counted in days of the person's time zone."""
    days = (now.date() - datetime.fromtimestamp(last_active_at, now.tzinfo).date()).days
    if days <= 0:
        return "today"
    if days == 1:
        return "yesterday"
    return "week" if days <= 7 else "older"


def _read_chats(page: Page) -> list[ChatThread] | None:
    try:
        return page.bot.threads(page.state.chats_listed)
    except ChatError:
        return None


def _draw_chats(page: Page, chats: list[ChatThread]) -> None:
    if not chats:
        st.caption(page.texts("sidebar.empty"))
    now = datetime.now(time_zone())
    for group, members in groupby(chats, key=lambda chat: age_group(chat.last_active_at, now)):
        st.caption(page.texts(f"sidebar.{group}"))
        _draw_group(page, members)
    if len(chats) == page.state.chats_listed < MOST_CHATS:
        st.button(
            page.texts("sidebar.more"),
            key="more-chats",
            type="tertiary",
            on_click=_list_more,
            args=(page,),
        )


def _draw_group(page: Page, chats: Iterable[ChatThread]) -> None:
    for chat in chats:
        is_open = chat.id == page.chat.thread_id
        # The style sheet marks the button of the open chat by its key.
        st.button(
            plain(chat.title) or page.texts("sidebar.untitled"),
            key=f"{'open-chat' if is_open else 'chat'}-{chat.id}",
            type="tertiary",
            width="stretch",
            wrap=False,
            on_click=go_to,
            args=(page, chat.id),
        )


def _list_more(page: Page) -> None:
    begin_action(page)
    page.state.chats_listed = min(page.state.chats_listed + CHATS_AT_ONCE, MOST_CHATS)
