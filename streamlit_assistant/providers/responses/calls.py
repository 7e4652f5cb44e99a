"""The items of a response that call something: functions of ours, and tools the server executes."""

import json
from collections.abc import Iterator

from streamlit_assistant.json_text import to_json
from streamlit_assistant.providers.base import (
    CallArguments,
    CallResult,
    CallStart,
    Delta,
    ImageMade,
)
from streamlit_assistant.providers.responses.files import UpstreamFiles
from streamlit_assistant.providers.responses.growth import Growth
from streamlit_assistant.providers.responses.items import Item
from streamlit_assistant.providers.responses.shapes import as_arguments, as_piece, as_text
from streamlit_assistant.providers.responses.stage import Stage
from streamlit_assistant.providers.responses.tools import Call, hosted_tool
from streamlit_assistant.records import JSON
from streamlit_assistant.surrogates import whole

FUNCTION_CALL = "function_call"


class FunctionCall(Item):
    """A call that somebody else answers.

    It is announced with its first arguments, or at its end: whoever acts on the end of a call must
    not meet one that is still empty.
    """

    def __init__(self, stage: Stage, torn: bool = False) -> None:
        """`torn`: pieces of it may be missing already."""
        self._stage = stage
        self._growth = Growth(torn)
        self._item: JSON = {"type": FUNCTION_CALL}
        self._index: int | None = None

    @property
    def told(self) -> JSON:
        """The call as the server would tell it, for one that never does."""
        return {**self._item, "arguments": self._growth.said}

    @property
    def is_named(self) -> bool:
        """Whether it says what is called."""
        return self._index is not None

    @property
    def is_whole(self) -> bool:
        """Whether its arguments are a JSON object."""
        try:
            return isinstance(json.loads(self._growth.said), dict)
        except (ValueError, RecursionError):
            return False

    def add(self, field: str, event: JSON) -> Iterator[Delta]:
        """Take a piece of the arguments."""
        yield from self._show(self._growth.add(as_piece(event.get("delta"))))

    def fill(self, field: str, event: JSON, text: str) -> Iterator[Delta]:
        """Take the whole arguments."""
        self._note({name: event[name] for name in ("name", "call_id") if event.get(name)})
        yield from self._show(self._growth.settle(text))

    def open(self, item: JSON) -> Iterator[Delta]:
        """Take what is called."""
        self._note(item)
        yield from ()

    def close(self, item: JSON) -> Iterator[Delta]:
        """Take all of it."""
        self._note(item)
        yield from self._show(self._growth.settle(as_arguments(item.get("arguments"))))
        yield from self.end()

    def end(self) -> Iterator[Delta]:
        """Take the arguments for whole."""
        yield from self._show(self._growth.flush())
        yield from self._show(self._growth.settle("{}") if self._growth.empty else "")

    def tear(self) -> None:
        """Note that pieces may be missing."""
        self._growth.tear()

    def begins(self, item: JSON) -> bool:
        """Return whether it is the same call, under another id."""
        same = self._item.get("name") == item.get("name")
        said, told = self._growth.said, as_arguments(item.get("arguments"))
        return same and bool(said) and told.startswith(said)

    def _note(self, item: JSON) -> None:
        known = {name: value for name, value in item.items() if value is not None}
        # Never overwritten with nothing: some servers say it once.
        self._item |= {name: value for name, value in known.items() if value != ""}

    def _show(self, said: str) -> Iterator[Delta]:
        name = as_text(self._item.get("name"))
        if self._index is None and name and not self._growth.empty:
            yield from self._stage.pause()
            call_id = as_text(self._item.get("call_id")) or as_text(self._item.get("id"))
            self._index, unique = self._stage.enrol(call_id)
            yield CallStart(self._index, unique, name)
            yield CallArguments(self._index, self._growth.said)
        elif self._index is not None and said:
            yield CallArguments(self._index, said)


class HostedCall(Item):
    """A call that the model server executes itself."""

    def __init__(self, stage: Stage, files: UpstreamFiles, kind: str, torn: bool = False) -> None:
        """`kind` is the item's type. `torn`: pieces of it may be missing already."""
        self._stage = stage
        self._files = files
        self._tool = hosted_tool(kind)
        self._streams = bool(self._tool.written) and self._tool.arguments is None
        self._growth = Growth(torn)
        self._item: JSON = {"type": kind}
        self._output: JSON = {}
        self._index: int | None = None
        self._is_settled = False

    def add(self, field: str, event: JSON) -> Iterator[Delta]:
        """Take a piece of what the model writes for it."""
        yield from self._show(self._growth.add(as_piece(event.get("delta"))))

    def fill(self, field: str, event: JSON, text: str) -> Iterator[Delta]:
        """Take all that the model writes for it."""
        yield from self._show(self._growth.settle(text))

    def open(self, item: JSON) -> Iterator[Delta]:
        """Take what is called."""
        self._note(item)
        if self._tool.name(self._item):
            yield from self._announce()

    def close(self, item: JSON) -> Iterator[Delta]:
        """Take all of it; its output may be still to come."""
        self._note(item)
        if not self._tool.answers_apart:
            yield from self.settle()
        elif self._tool.name(self._item):
            yield from self._announce()

    def answer(self, output: JSON) -> Iterator[Delta]:
        """Take the item with its output."""
        self._output = output
        yield from self.settle()

    def end(self) -> Iterator[Delta]:
        """Take what there is for all of it."""
        yield from self.settle()

    def settle(self) -> Iterator[Delta]:
        """Give the result, as far as it is known; nothing the second time."""
        nothing_known = self._growth.empty and not self._tool.name(self._item)
        if self._is_settled or nothing_known:
            return
        self._is_settled = True
        yield from self._announce()
        yield from self._say_arguments()
        if self._index is not None:
            outputs = self._tool.outputs(Call(self._item, self._output), self._files)
            yield CallResult(self._index, tuple(outputs))
        for image in self._tool.pictures(self._item, self._files):
            self._stage.show_image()
            yield ImageMade(image)

    def tear(self) -> None:
        """Note that pieces may be missing."""
        self._growth.tear()

    def answers(self, call_id: str) -> bool:
        """Return whether an output for that call is for this one."""
        return bool(call_id) and self._item.get("call_id") == call_id

    def _note(self, item: JSON) -> None:
        self._item |= {name: value for name, value in item.items() if value is not None}

    def _announce(self) -> Iterator[Delta]:
        if self._index is None:
            yield from self._stage.pause()
            call_id = as_text(self._item.get("id")) or as_text(self._item.get("call_id"))
            self._index, unique = self._stage.enrol(call_id, self)
            name = self._tool.name(self._item) or "tool"
            yield CallStart(self._index, unique, name, self._tool.kind)
            if self._streams and not self._growth.empty:
                yield CallArguments(self._index, self._growth.said)

    def _show(self, said: str) -> Iterator[Delta]:
        if said and self._streams and self._index is not None and not self._is_settled:
            yield CallArguments(self._index, said)

    def _say_arguments(self) -> Iterator[Delta]:
        if self._index is None:
            return
        told = self._item
        if field := self._tool.written:
            written = self._growth.settle(as_arguments(told.get(field))) + self._growth.flush()
            told = {**told, field: self._growth.said}
        if self._tool.arguments is not None:
            written = whole(to_json(self._tool.arguments(told)))
        if written:
            yield CallArguments(self._index, written)
