"""What a page makes of the updates a ChatBot yields."""

from collections.abc import Iterable, Sequence

from streamlit_assistant.chatbot import Finished, TextDelta, Update, Waiting


def shown(updates: Iterable[Update]) -> str:
    """The text a person has read."""
    return "".join(update.text for update in updates if isinstance(update, TextDelta))


def finished(updates: Sequence[Update]) -> Finished:
    """The last update, which must be the only one of its kind."""
    *before, last = updates
    assert isinstance(last, Finished)
    assert not any(isinstance(update, Finished) for update in before)
    return last


def waits(updates: Iterable[Update]) -> list[Waiting]:
    """The signs of life."""
    return [update for update in updates if isinstance(update, Waiting)]
