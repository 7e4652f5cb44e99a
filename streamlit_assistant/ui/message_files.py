"""Page layer: the pictures in a message, and the files it offers.

The browser never learns the site's key: it gets the bytes from the page, which reads them.
"""

from collections.abc import Iterator
from functools import partial
from io import BytesIO

import streamlit as st
from PIL import Image

from streamlit_assistant.chatbot import ChatError, ChatMessage, OfferedFile, Picture
from streamlit_assistant.ui.markdown_text import plain
from streamlit_assistant.ui.session import Page

MOST_KEPT = 64 * 1024 * 1024  # bytes of pictures that a tab does not read again when it is redrawn
IMAGES = (".png", ".jpg", ".jpeg", ".gif", ".webp")
MOST_POINTS = 50_000_000  # of a picture: decoded, each takes up to four bytes
# What the drawing of bytes raises that are no image, or a broken one, or one that is too large.
UNDRAWABLE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)


def parts_of(message: ChatMessage) -> Iterator[str | Picture]:
    """Yield the message's texts and pictures, in their order."""
    drawn = 0
    for picture in message.pictures:
        if text := message.text[drawn : picture.place].strip("\n"):
            yield text
        yield picture
        drawn = picture.place
    if text := message.text[drawn:]:
        yield text.lstrip("\n") if drawn else text


def draw_picture(page: Page, picture: Picture) -> None:
    """Draw a picture into the container that is open, or say that it cannot be drawn."""
    try:
        st.image(_bytes_of(page, picture.file_id), alt=page.texts("picture.alt"))
    except (ChatError, *UNDRAWABLE):
        st.caption(f":material/broken_image: {page.texts('picture.missing')}")


def draw_files(page: Page, message: ChatMessage) -> None:
    """Draw the files the message offers, into the container that is open: a button for each."""
    if not message.files:
        return
    drawn = {picture.file_id for picture in message.pictures}
    for file in message.files:
        # A chart is offered like any file, and meant to be seen.
        if file.name.lower().endswith(IMAGES) and file.file_id not in drawn:
            draw_picture(page, Picture(file.file_id, len(message.text)))
    with st.container(horizontal=True, gap="small"):
        for file in message.files:
            _draw_download(page, message, file)


def _draw_download(page: Page, message: ChatMessage, file: OfferedFile) -> None:
    st.download_button(
        plain(file.name),
        data=partial(page.bot.file, file.file_id),  # read with the click, and not before
        file_name=file.name,
        mime="application/octet-stream",
        key=f"file-{message.id}-{file.file_id}",
        icon=":material/download:",
        on_click="ignore",  # an answer that is being written is not disturbed
    )


def _bytes_of(page: Page, file_id: str) -> bytes:
    kept = page.state.pictures
    if (data := kept.get(file_id)) is None:
        data = _checked(page.bot.file(file_id))
        if sum(map(len, kept.values())) + len(data) > MOST_KEPT:
            kept.clear()
        kept[file_id] = data
    return data


def _checked(data: bytes) -> bytes:
    with Image.open(BytesIO(data)) as image:
        if image.width * image.height > MOST_POINTS:
            raise ValueError("The picture has too many points.")
    return data
