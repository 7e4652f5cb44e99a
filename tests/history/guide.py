"""The guide to the histories: its examples by name, and what they print."""

import io
import re
import threading

from tests.source_tree import ROOT

LANGUAGES = {"English": "README.md", "Chinese": "README.zh-CN.md"}
_FOLDER = ROOT / "streamlit_assistant" / "history"
_EXAMPLE = re.compile(r"^<!-- ([^>\n]+) -->\n```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SOON = 20  # seconds


def text_of(name: str) -> str:
    """Return a file of the guide."""
    return (_FOLDER / name).read_text(encoding="utf-8")


def examples(text: str) -> dict[str, str]:
    """Return the programs in a text by their names."""
    found: list[tuple[str, str]] = _EXAMPLE.findall(text)
    return dict(found)


class Screen(io.StringIO):
    """What an example prints, a piece at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self.printed = threading.Condition()

    def write(self, text: str) -> int:
        with self.printed:
            self.pieces.append(text)
            self.printed.notify_all()
        return len(text)

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    def wait_for(self, text: str) -> None:
        """Wait until it has been printed."""
        with self.printed:
            assert self.printed.wait_for(lambda: text in self.text, _SOON), self.text
