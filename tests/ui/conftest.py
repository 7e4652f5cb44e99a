"""A page with a scripted bot behind it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import streamlit_assistant
from tests.ui.scripted_bot import ScriptedBot

PAGE = Path(streamlit_assistant.__file__).parent / "ui" / "page.py"

OpenPage = Callable[..., AppTest]


@pytest.fixture
def bot() -> ScriptedBot:
    return ScriptedBot()


@pytest.fixture
def open_page(bot: ScriptedBot) -> OpenPage:
    """Open the page in a browser of this locale, at `?thread=` the open thread of the bot."""

    def open_in(locale: str = "en-US") -> AppTest:
        page = AppTest.from_file(str(PAGE), default_timeout=20)
        page.session_state["chatbot"] = bot
        page.context["locale"] = locale
        page.context["timezone"] = "Asia/Shanghai"
        if bot.thread_id is not None:
            page.query_params["thread"] = bot.thread_id
            bot.thread_id = None
        return page.run()

    return open_in
