"""The text of a message with what it refers to.

The Responses API says between which characters a reference belongs; programs written for the
Assistants API look for a marker in the text and put their own in its place. So markers are written
into the text, and every position behind them shifts.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote

from streamlit_assistant.providers.base import Annotated, Delta, ProducedFile
from streamlit_assistant.providers.responses.files import UpstreamFiles
from streamlit_assistant.providers.responses.shapes import as_count, as_text
from streamlit_assistant.providers.responses.stage import Speaker, Stage
from streamlit_assistant.records import JSON

LONGEST_NAME = 200  # characters of a file's name in a marker
SANDBOX = "sandbox:/mnt/data/"
_SANDBOX_PATH = re.compile(r"sandbox:/[^\s()\[\]<>\"']+")
_UNFIT = re.compile(r"[【】†\s]+")
_WEB = re.compile(r"https?://[^\s<>]+", re.IGNORECASE)


@dataclass
class References:
    """What the texts of one message share: the number of its markers, and the pages it names."""

    markers: int = 0
    pages: dict[str, str] = field(default_factory=dict)  # titles by address

    def footnotes(self, text: str) -> str:
        """Return links to the pages that the text does not name itself."""
        unnamed = {url: title for url, title in self.pages.items() if url not in text}
        self.pages.clear()
        return (
            "\n\n" + "\n".join(f"- {_link_to(url, title)}" for url, title in unnamed.items())
            if unnamed
            else ""
        )


@dataclass(frozen=True)
class _Marker:
    index: int  # in the text as the server counts it
    text: str
    file_id: str


@dataclass(frozen=True)
class _Range:
    start: int
    end: int
    file: ProducedFile


class CitedText:
    """A text that is shown as it comes, with markers where they belong."""

    def __init__(
        self, stage: Stage, speaker: Speaker, files: UpstreamFiles, references: References
    ) -> None:
        """`speaker`: the message it belongs to."""
        self._stage = stage
        self._speaker = speaker
        self._files = files
        self._references = references
        self._length = 0  # characters, as the server counts them
        self._shown: list[str] = []
        self._shown_length = 0
        self._base, self._run = 0, -1  # where it begins in what is being written
        self._joined = 0  # from which character on that is so
        self._markers: list[_Marker] = []  # of which the place has not come yet
        self._written: list[tuple[int, int]] = []  # place and length of those that are shown
        self._ranges: list[_Range] = []
        self._unplaced: list[tuple[ProducedFile, int | None]] = []
        self._taken: set[str] = set()

    @property
    def shown(self) -> str:
        """The text as it was shown."""
        return "".join(self._shown)

    def say(self, text: str) -> Iterator[Delta]:
        """Show more of the text."""
        end = self._length + len(text)
        while self._markers and self._markers[0].index <= end:
            marker = self._markers.pop(0)
            cut = marker.index - self._length
            yield from self._show(text[:cut])
            text = text[cut:]
            yield from self._mark(marker)
        yield from self._show(text)
        yield from self._annotate_ranges()

    def refer(self, annotation: JSON) -> Iterator[Delta]:
        """Take an annotation; what it brings is shown once, when its place has come."""
        known = json.dumps(annotation, sort_keys=True)
        if known in self._taken:
            return
        self._taken.add(known)
        match annotation.get("type"):
            case "file_citation":
                yield from self._cite(annotation)
            case "container_file_citation":
                self._name_file(annotation)
                yield from self._annotate_ranges()
            case "file_path":
                file_id = as_text(annotation.get("file_id"))
                file = self._files.stored(file_id, as_text(annotation.get("filename")))
                self._unplaced.append((file, as_count(annotation.get("index"))))
            case "url_citation":
                self._name_page(annotation)

    def conclude(self) -> Iterator[Delta]:
        """Show what waits for a place that does not come any more."""
        markers, self._markers = self._markers, []
        for marker in markers:
            yield from self._mark(marker)
        for each in self._ranges:
            self._unplaced.append((each.file, None))
        self._ranges.clear()
        for file, index in self._unplaced:
            yield from self._link(file, index)
        self._unplaced.clear()

    def _cite(self, annotation: JSON) -> Iterator[Delta]:
        file_id, index = as_text(annotation.get("file_id")), as_count(annotation.get("index"))
        name = _UNFIT.sub(" ", as_text(annotation.get("filename")) or file_id)[:LONGEST_NAME]
        text = f"【{self._references.markers}†{name}】"
        self._references.markers += 1
        if index is not None and index > self._length:
            self._markers.append(_Marker(index, text, file_id))
            self._markers.sort(key=lambda marker: marker.index)
        else:
            yield from self._mark(_Marker(self._length, text, file_id))

    def _name_file(self, annotation: JSON) -> None:
        container, file_id, name = (
            as_text(annotation.get(field)) for field in ("container_id", "file_id", "filename")
        )
        start, end = as_count(annotation.get("start_index")), as_count(annotation.get("end_index"))
        file = self._files.of_container(container, file_id, name.rpartition("/")[2])
        if start is not None and end is not None and start < end:
            self._ranges.append(_Range(start, end, file))
        else:
            self._unplaced.append((file, None))

    def _name_page(self, annotation: JSON) -> None:
        url = as_text(annotation.get("url")).strip()
        if _WEB.fullmatch(url):
            self._references.pages.setdefault(url, as_text(annotation.get("title")))

    def _show(self, text: str) -> Iterator[Delta]:
        self._length += len(text)
        yield from self._write(text)

    def _write(self, text: str) -> Iterator[Delta]:
        if not text:
            return
        yield from self._stage.speak(self._speaker)
        base = self._stage.position - self._shown_length
        if (self._run, self._base) != (self._stage.run, base):  # something else stands between
            self._run, self._base, self._joined = self._stage.run, base, self._shown_length
        self._shown.append(text)
        self._shown_length += len(text)
        yield from self._stage.say(text)

    def _mark(self, marker: _Marker) -> Iterator[Delta]:
        self._written.append((self._length, len(marker.text)))
        start = self._shown_length
        yield from self._write(marker.text)
        yield from self._annotated(start, self._shown_length, file_id=marker.file_id)

    def _annotate_ranges(self) -> Iterator[Delta]:
        come = [each for each in self._ranges if each.end <= self._length]
        self._ranges = [each for each in self._ranges if each.end > self._length]
        for each in come:
            start = each.start + sum(size for at, size in self._written if at <= each.start)
            end = each.end + sum(size for at, size in self._written if at < each.end)
            yield from self._annotated(start, end, file=each.file)

    def _link(self, file: ProducedFile, index: int | None) -> Iterator[Delta]:
        """Annotate the path by which the text names a file, or name it."""
        place = self._place_of(file.name, index)
        if place is None:
            yield from self._write("\n\n")
            start = self._shown_length
            link = _link_to(SANDBOX + quote(file.name), file.name)
            yield from self._write(link)
            place = start + link.index(SANDBOX), self._shown_length - 1
        yield from self._annotated(*place, file=file)

    def _place_of(self, name: str, index: int | None) -> tuple[int, int] | None:
        shown = self.shown
        for path in (SANDBOX + name, SANDBOX + quote(name)):
            if (start := shown.find(path)) >= 0:
                return start, start + len(path)
        paths = list(_SANDBOX_PATH.finditer(shown))
        return paths[index].span() if index is not None and index < len(paths) else None

    def _annotated(
        self, start: int, end: int, file_id: str | None = None, file: ProducedFile | None = None
    ) -> Iterator[Delta]:
        # An annotation is of the text that is being written; what was written before is closed.
        if self._run == self._stage.run and start >= self._joined:
            text = self.shown[start:end]
            yield Annotated(text, self._base + start, self._base + end, file_id, file)


def _link_to(url: str, title: str) -> str:
    title = re.sub(r"[\[\]\s]+", " ", title).strip() or url.split("/")[2]
    return f"[{title}]({url.replace('(', '%28').replace(')', '%29')})"
