"""What a person does on the page, and what they can read there."""

from streamlit.testing.v1 import AppTest

from streamlit_assistant.catalogue import CHINESE, ENGLISH
from streamlit_assistant.chatbot import ChatError
from streamlit_assistant.ui.texts import load_texts

EN = load_texts(ENGLISH)
ZH = load_texts(CHINESE)
DOWN = ChatError("unreachable", "Connection refused", "req_9")


def send(page: AppTest, text: str) -> AppTest:
    return page.chat_input[0].set_value(text).run()


def click(page: AppTest, key: str) -> AppTest:
    return page.button(key=key).click().run()


def buttons(page: AppTest) -> list[str | None]:
    return [button.key for button in page.button]


def shown(page: AppTest) -> list[tuple[str, str]]:
    """Who wrote what, in the order of the page."""
    assert not page.exception
    return [
        (
            bubble.name,
            "\n\n".join(each.value for each in [*bubble.text, *bubble.markdown] if each.value),
        )
        for bubble in page.chat_message
    ]


def notices(page: AppTest) -> list[str]:
    return [box.value for box in [*page.warning, *page.info]]
