"""Stands in for Streamlit's drawing surface: remembers what is on it and what was ever drawn."""

from dataclasses import dataclass, field
from typing import Any

Drawn = tuple[str, str]


@dataclass
class Slot:
    """Stands in for what st.empty() returns: one place, in which the last thing drawn stays."""

    log: list[str]
    content: "Drawn | Block | None" = None

    def markdown(self, body: str, **_: Any) -> None:
        self._put("markdown", body)

    def code(self, body: str, language: str | None = None) -> None:
        self._put(f"code {language or ''}".strip(), body)

    def text(self, body: str) -> None:
        self._put("text", body)

    def empty(self) -> "Slot":
        self.content = None
        return self

    def container(self, **_: Any) -> "Block":
        self.content = Block(self.log)
        return self.content

    def chat_message(self, *_: Any, **__: Any) -> "Block":
        return self.container()

    def seen(self) -> list[Drawn]:
        """Everything that is in it now, from top to bottom."""
        if isinstance(self.content, Block):
            return [each for slot in self.content.slots for each in slot.seen()]
        return [self.content] if self.content else []

    def _put(self, kind: str, body: str) -> None:
        self.log.append(body)
        self.content = (kind, body)


@dataclass
class Block:
    """Stands in for what st.container() returns: whatever is drawn goes below what is there."""

    log: list[str]
    slots: list[Slot] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        self.slots.append(Slot(self.log))
        return getattr(self.slots[-1], name)
