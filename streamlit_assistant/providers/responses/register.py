"""Which item of a response an event is about. Not every server says so in the same way.

OpenAI numbers the items and names them; llama.cpp names them only, by the id of the call where it
is one; others give an item a new name with every event. An event belongs to the item of its name,
else of its number, else to the one of its kind that is open.
"""

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field

from streamlit_assistant.providers.responses.items import Item
from streamlit_assistant.providers.responses.shapes import as_count, as_object, as_text
from streamlit_assistant.records import JSON


@dataclass(eq=False)
class Entry:
    """An item and how events name it. `told` is how the server told it in the end."""

    item: Item
    kind: str
    index: int | None = None
    names: set[str] = field(default_factory=set)
    call_id: str = ""
    told: JSON | None = None

    def meet(self, event: JSON) -> None:
        """Note how an event names it."""
        self.names |= _names(event)
        self.call_id = self.call_id or _call_id(event)
        self.index = as_count(event.get("output_index")) if self.index is None else self.index


class Register:
    """The items of one response, in the order in which they came."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def enter(self, item: Item, kind: str, event: JSON) -> Entry:
        """Add an item that an event has brought."""
        entry = Entry(item, kind)
        entry.meet(event)
        self.entries.append(entry)
        return entry

    def opened(self, kind: str, event: JSON) -> Entry | None:
        """Return the item that an event announces, if it is known already."""
        names = _names(event)
        numbered = self._numbered(kind, event)
        if numbered is not None and names and numbered.names:
            numbered = None  # some servers give all items the same number
        return self._named(kind, names) or numbered

    def of(self, kind: str, event: JSON) -> Entry | None:
        """Return the item that an event says more of."""
        named = self._named(kind, _names(event))
        return named or self._numbered(kind, event) or self._last(kind, event)

    def closed(self, kind: str, event: JSON) -> Entry | None:
        """Return the item that an event tells the whole of."""
        known = self._named(kind, _names(event)) or self._numbered(kind, event)
        item, call_id = as_object(event.get("item")), _call_id(event)
        alike = (
            each
            for each in self.open_ones()
            if each.kind == kind
            and ((call_id and each.call_id == call_id) or each.item.begins(item))
        )
        return known or next(alike, None)

    def listed(self, output: Sequence[JSON]) -> list[Entry | None]:
        """Return for each item of the whole response the one that came before, if any did."""
        found = [self._named(_kind(item), _names({"item": item})) for item in output]
        for place, item in enumerate(output):
            free = [each for each in self._of_kind(_kind(item)) if each not in found]
            if found[place] is None:
                found[place] = next((each for each in free if each.index == place), None)
        for place, item in enumerate(output):
            free = [each for each in self._of_kind(_kind(item)) if each not in found]
            if found[place] is None and free and not _differ(free[0], {"item": item}):
                found[place] = free[0]
        return found

    def open_ones(self) -> Iterator[Entry]:
        """Yield the items that were not told to the end."""
        yield from (each for each in self.entries if each.told is None)

    def _of_kind(self, kind: str) -> list[Entry]:
        return [each for each in self.entries if each.kind == kind]

    def _named(self, kind: str, names: Set[str]) -> Entry | None:
        # The newest first: it is the one that most events are about.
        same = (each for each in reversed(self.entries) if each.kind == kind)
        return next((each for each in same if each.names & names), None)

    def _numbered(self, kind: str, event: JSON) -> Entry | None:
        index = as_count(event.get("output_index"))
        if index is None:
            return None
        same = (each for each in self.open_ones() if each.kind == kind and each.index == index)
        return next((each for each in same if not _differ(each, event)), None)

    def _last(self, kind: str, event: JSON) -> Entry | None:
        index = as_count(event.get("output_index"))
        same = [each for each in self.open_ones() if each.kind == kind]
        if not same or (index is not None and same[-1].index is not None):
            return None  # it has another number
        return same[-1]


def _differ(entry: Entry, event: JSON) -> bool:
    """Return whether both are calls, and not the same one."""
    call_id = _call_id(event)
    return bool(call_id and entry.call_id and call_id != entry.call_id)


def _kind(item: JSON) -> str:
    return as_text(item.get("type"))


def _call_id(event: JSON) -> str:
    return as_text(as_object(event.get("item")).get("call_id"))


def _names(event: JSON) -> set[str]:
    item = as_object(event.get("item"))
    # A call's own id names the item only where nothing else does: two calls may have one.
    found = (event.get("item_id"), item.get("id") or item.get("call_id"))
    return {as_text(name) for name in found} - {""}
