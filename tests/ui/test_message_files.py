"""The pictures in messages, and the files that answers offer."""

from dataclasses import replace
from zlib import compress, crc32

import pytest
from streamlit.testing.v1 import AppTest

from streamlit_assistant.chatbot import ChatError, OfferedFile, Picture
from streamlit_assistant.ui.message_files import parts_of
from tests.ui.conftest import OpenPage
from tests.ui.page_reading import DOWN, EN, ZH, send, shown
from tests.ui.scripted_bot import ScriptedBot


def png(width: int = 1, height: int = 1) -> bytes:
    """A picture that says to be so large, of a single black point."""
    size = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    chunks = [
        (b"IHDR", size + bytes([8, 0, 0, 0, 0])),
        (b"IDAT", compress(b"\0\0")),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        len(data).to_bytes(4, "big") + name + data + crc32(name + data).to_bytes(4, "big")
        for name, data in chunks
    )


PNG = png()


def answered(bot: ScriptedBot, text: str, *pictures: Picture, files: tuple[str, ...] = ()) -> None:
    stored = bot.open("thread_a", "Draw", text)
    offered = [OfferedFile(f"file-{name}", name) for name in files]
    stored.messages[-1] = replace(stored.messages[-1], pictures=pictures, files=offered)


def images(page: AppTest) -> int:
    return len(page.get("image"))


def missing(page: AppTest) -> list[str]:
    return [each.value for each in page.main.caption if "broken_image" in each.value]


def test_texts_and_pictures_keep_their_order(bot: ScriptedBot) -> None:
    answered(bot, "One\n\nTwo", Picture("a", 0), Picture("b", 3), Picture("c", 3), Picture("d", 8))
    message = bot.messages()[-1]

    parts = [part if isinstance(part, str) else part.file_id for part in parts_of(message)]
    assert parts == ["a", "One", "b", "c", "Two", "d"]


@pytest.mark.parametrize("text", ["", "  indented\n"])
def test_a_message_without_pictures_is_its_text(bot: ScriptedBot, text: str) -> None:
    answered(bot, text)
    assert list(parts_of(bot.messages()[-1])) == [text] * bool(text)


def test_a_picture_is_drawn_and_its_bytes_are_read_once(
    open_page: OpenPage, bot: ScriptedBot
) -> None:
    bot.files["file-1"] = PNG
    answered(bot, "Here it is.", Picture("file-1", 0))

    page = open_page()
    assert (images(page), shown(page)[1]) == (1, ("assistant", "Here it is."))
    page = send(page, "Thanks")

    assert images(page) == 1
    assert bot.calls.count("file file-1") == 1


def test_a_picture_that_a_program_posted_is_drawn_beside_its_words(
    open_page: OpenPage, bot: ScriptedBot
) -> None:
    bot.files["file-1"] = PNG
    stored = bot.open("thread_a", "What is this?", "A dot.")
    stored.messages[0] = replace(stored.messages[0], pictures=(Picture("file-1", 13),))
    page = open_page()

    assert (images(page), shown(page)[0]) == (1, ("user", "What is this?"))


@pytest.mark.parametrize(
    "broken", [b"", b"<svg/>", PNG[:30], png(60_000, 60_000), png(8_000, 8_000)], ids=len
)
@pytest.mark.parametrize(("locale", "texts"), [("en-US", EN), ("zh-CN", ZH)])
def test_what_cannot_be_drawn_is_told_and_the_rest_is_there(
    open_page: OpenPage, bot: ScriptedBot, broken: bytes, locale: str, texts: object
) -> None:
    bot.files["file-1"] = broken
    answered(bot, "Here it is.", Picture("file-1", 0))
    page = open_page(locale)

    words = (EN if texts is EN else ZH)("picture.missing")
    assert missing(page) == [f":material/broken_image: {words}"]
    assert shown(page)[1] == ("assistant", "Here it is.")


@pytest.mark.parametrize("error", [DOWN, ChatError("not_found", "Gone.")])
def test_a_picture_that_cannot_be_read_is_asked_for_again_next_time(
    open_page: OpenPage, bot: ScriptedBot, error: ChatError
) -> None:
    bot.files["file-1"] = PNG
    bot.refuse["file"] = error
    answered(bot, "Here it is.", Picture("file-1", 0))

    page = open_page()
    assert len(missing(page)) == 1
    bot.refuse.clear()

    assert images(page.run()) == 1


def test_an_offered_file_is_a_button_and_is_read_with_the_click_alone(
    open_page: OpenPage, bot: ScriptedBot
) -> None:
    answered(bot, "See [it](sandbox:/mnt/data/a_b_.csv).", files=("a_b_.csv",))
    page = open_page()

    [button] = page.get("download_button")
    assert button.proto.label == r"a\_b\_\.csv"
    assert shown(page)[1] == ("assistant", "See it.")
    assert not [call for call in bot.calls if call.startswith("file")]


def test_an_offered_picture_is_drawn_as_well_but_not_twice(
    open_page: OpenPage, bot: ScriptedBot
) -> None:
    bot.files = {"file-a.png": PNG, "file-b.PNG": PNG}
    answered(bot, "", Picture("file-a.png", 0), files=("a.png", "b.PNG"))
    page = open_page()

    assert images(page) == 2
    assert len(page.get("download_button")) == 2
