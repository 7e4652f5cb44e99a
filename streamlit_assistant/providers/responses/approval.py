"""A remote tool that is only called with somebody's approval, for which this server cannot ask."""

from collections.abc import Iterator

from streamlit_assistant.providers.base import Delta, Noticed
from streamlit_assistant.providers.responses.items import Item
from streamlit_assistant.providers.responses.shapes import as_text
from streamlit_assistant.providers.responses.stage import Stage
from streamlit_assistant.records import JSON

CODE = "approval_impossible"
WORDS = (
    "The model wanted to use the tool '{tool}' of '{server}', which asks for approval first. "
    "Approving is not possible here; the tool can be set up to need none."
)


class Approval(Item):
    """A request for approval: it is told, and remains without an answer."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._is_told = False

    def close(self, item: JSON) -> Iterator[Delta]:
        """Tell it."""
        if self._is_told:
            return
        self._is_told = True
        tool, server = as_text(item.get("name")), as_text(item.get("server_label"))
        words = WORDS.format(tool=tool, server=server)
        self._stage.excuses.append(words)
        yield Noticed(CODE, words, {"tool": tool, "server": server})
