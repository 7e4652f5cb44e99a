"""The list of chats."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from streamlit_assistant.catalogue import ENGLISH
from streamlit_assistant.chatbot import ChatError
from streamlit_assistant.ui.sidebar import age_group
from streamlit_assistant.ui.texts import load_texts
from tests.ui.conftest import OpenPage
from tests.ui.scripted_bot import ScriptedBot, StoredThread

EN = load_texts(ENGLISH)
SHANGHAI = ZoneInfo("Asia/Shanghai")
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("last_active", "group"),
    [
        (datetime(2026, 11, 21, 0, 0, tzinfo=SHANGHAI), "today"),
        (datetime(2026, 11, 21, 23, 0, tzinfo=SHANGHAI), "today"),  # a clock that runs ahead
        (datetime(2026, 11, 20, 23, 59, tzinfo=SHANGHAI), "yesterday"),
        (datetime(2026, 11, 20, 15, 59, tzinfo=ZoneInfo("UTC")), "yesterday"),
        (datetime(2026, 11, 20, 16, 1, tzinfo=ZoneInfo("UTC")), "today"),
        (datetime(2026, 11, 19, 12, 0, tzinfo=SHANGHAI), "week"),
        (datetime(2026, 11, 14, 0, 0, tzinfo=SHANGHAI), "week"),
        (datetime(2026, 11, 13, 23, 59, tzinfo=SHANGHAI), "older"),
        (datetime(2020, 1, 1, tzinfo=SHANGHAI), "older"),
    ],
)
def test_chats_are_grouped_by_the_days_of_the_persons_time_zone(
    last_active: datetime, group: str
) -> None:
    assert age_group(int(last_active.timestamp()), NOON) == group


def days_ago(days: float) -> int:
    return int(datetime.now(SHANGHAI).timestamp() - days * 86_400)


def test_the_groups_are_titled_and_the_newest_chat_is_on_top(
    open_page: OpenPage, bot: ScriptedBot
) -> None:
    bot.stored = {
        "thread_o": StoredThread(title="Old", last_active_at=days_ago(40)),
        "thread_n": StoredThread(title="New", last_active_at=days_ago(0)),
        "thread_w": StoredThread(title="Last week", last_active_at=days_ago(5)),
    }
    sidebar = open_page().sidebar

    labels = [button.label for button in sidebar.button]
    assert labels == ["New chat", "Temporary chat", "New", "Last week", "Old", "Model"]
    assert [caption.value for caption in sidebar.caption] == ["Today", "Previous 7 days", "Older"]


def test_the_open_chat_is_marked(open_page: OpenPage, bot: ScriptedBot) -> None:
    bot.open("thread_b", title="B")
    bot.open("thread_a", title="A")

    keys = [button.key for button in open_page().sidebar.button]

    assert sorted(key for key in keys if key) == [
        *("chat-temporary", "chat-thread_b", "model", "new-chat", "open-chat-thread_a"),
    ]


def test_a_title_is_no_markdown_and_a_chat_without_one_has_a_name(
    open_page: OpenPage, bot: ScriptedBot
) -> None:
    bot.stored = {
        "thread_a": StoredThread(title="**bold** :red[x]\n# y"),
        "thread_b": StoredThread(title=" "),
    }
    labels = [button.label for button in open_page().sidebar.button]

    assert r"\*\*bold\*\* \:red\[x\] \# y" in labels
    assert EN("sidebar.untitled") in labels


def test_more_chats_are_listed_on_demand(open_page: OpenPage, bot: ScriptedBot) -> None:
    bot.stored = {f"thread_{n}": StoredThread(title=f"Chat {n}") for n in range(50)}
    page = open_page()
    assert len(page.sidebar.button) == 2 + 30 + 1 + 1

    page.button(key="more-chats").click().run()

    assert len(page.sidebar.button) == 2 + 50 + 1


def test_a_list_that_cannot_be_read_leaves_the_chat_usable(
    open_page: OpenPage, bot: ScriptedBot
) -> None:
    bot.refuse["threads"] = ChatError("server", "Oops")
    page = open_page()
    assert [caption.value for caption in page.sidebar.caption] == [EN("sidebar.unreachable")]

    page.chat_input[0].set_value("Hi").run()

    assert [bubble.name for bubble in page.chat_message] == ["user", "assistant"]


def test_a_person_without_chats_is_told_where_they_will_be(open_page: OpenPage) -> None:
    assert [caption.value for caption in open_page().sidebar.caption] == [EN("sidebar.empty")]


def test_an_unknown_time_zone_does_no_harm(open_page: OpenPage, bot: ScriptedBot) -> None:
    bot.open("thread_a", title="A")
    page = open_page()
    page.context["timezone"] = "Nowhere/../etc"

    assert not page.run().exception
