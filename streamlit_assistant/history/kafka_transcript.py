"""What the records of a session's topic amount to, in memory: each read adds only what is new."""

import json
import logging
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from streamlit_assistant.history import kafka_records as records
from streamlit_assistant.history.entries import fold, matching
from streamlit_assistant.history.thread_messages import said

if TYPE_CHECKING:
    from confluent_kafka import Message

    from streamlit_assistant.history.kafka_topic import Topic

logger = logging.getLogger(__name__)

# Where a reader is in a partition: at a record, and after how many of the messages it completes.
Place = tuple[int, int]
_OVERHEAD = 300  # bytes of memory that a message costs beside its text, about


@dataclass(slots=True)
class Told:
    """A message that can be seen."""

    key: str
    body: str
    partition: int
    first: int  # the offset of the first record of its batch, which expires with it
    place: Place
    text: str | None = None  # folded, once somebody has searched


@dataclass(slots=True)
class _Batch:
    first: int
    pieces: dict[int, tuple[str, str]] = field(default_factory=dict)


class Transcript:
    """The messages of a session's topic as far as it was read; whoever uses it holds `lock`.

    What was added in one call is seen when the last record of it is there, and never if its writer
    died before that. So it grows at its end only, and is the same to every reader.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.reset(None)

    def reset(self, topic: "Topic | None") -> None:
        """Begin anew, with another topic or none."""
        self.topic = topic
        self.next: dict[int, int] = {}
        self.size = 0
        self._low: dict[int, int] = {}
        self._told: dict[str, Told] = {}
        self._removed: dict[str, tuple[int, int]] = {}  # partition and offset of what it was
        self._pending: dict[bytes, _Batch] = {}

    def add(self, record: "Message") -> None:
        """Take the next record of a partition."""
        partition, offset = record.partition() or 0, record.offset() or 0
        self.next[partition] = offset + 1
        headers: Mapping[str, Any] = dict(record.headers() or ())
        value: Any = record.value()
        if value is None:
            self._obey(headers, partition, offset)
        elif (key := headers.get(records.KEY)) is None:
            self._add_foreign(value, partition, offset)
        elif (piece := headers.get(records.BATCH)) is None:
            self._tell(records.text(key), records.text(value), partition, offset, (offset, 0))
        else:
            self._add_piece(piece, (records.text(key), records.text(value)), partition, offset)

    def expire(self, low: Mapping[int, int]) -> None:
        """Forget what Kafka has dropped, all that is before these offsets."""
        if all(self._low.get(partition, 0) >= offset for partition, offset in low.items()):
            return
        self._low.update(low)
        self._forget(low)

    def after(self, places: Mapping[int, Place]) -> list[Told]:
        """Return the messages that come after these places in their partitions."""
        start = (0, 0)
        return [one for one in self._told.values() if one.place >= places.get(one.partition, start)]

    def end(self) -> dict[int, Place]:
        """Return the places after everything that was written so far."""
        return {partition: (offset, 0) for partition, offset in self.next.items()}

    def bodies(self) -> list[str]:
        """Return all messages, oldest first."""
        return [one.body for one in self._told.values()]

    def search(self, words: Sequence[str], limit: int) -> list[str]:
        """Return the newest messages that hold all words, newest first."""
        told = list(self._told.values())
        return [told[position].body for position in matching(list(self._texts()), words, limit)]

    def _texts(self) -> Iterator[str]:
        for one in self._told.values():
            if one.text is None:
                one.text = fold(said(json.loads(one.body)))
                self.size += len(one.text)
            yield one.text

    def _tell(self, key: str, body: str, partition: int, first: int, place: Place) -> None:
        if key in self._told or key in self._removed:
            return
        self._told[key] = Told(key, body, partition, first, place)
        self.size += len(body) + _OVERHEAD

    def _add_foreign(self, value: bytes, partition: int, offset: int) -> None:
        key = records.foreign_key(value)
        if key is None:
            logger.warning(
                "record %d of %s is no message; it is passed over",
                *(offset, self.topic.name if self.topic else "a topic"),
            )
            return
        nameless = f"\0{partition}:{offset}"
        self._tell(key or nameless, records.text(value), partition, offset, (offset, 0))

    def _add_piece(
        self, header: bytes, entry: tuple[str, str], partition: int, offset: int
    ) -> None:
        piece = records.piece_of(header)
        batch = self._pending.setdefault(piece.batch, _Batch(offset))
        batch.pieces[piece.number] = entry
        if len(batch.pieces) < piece.count:
            return
        del self._pending[piece.batch]
        for number in range(piece.count):
            self._tell(*batch.pieces[number], partition, batch.first, (offset, number))

    def _obey(self, headers: Mapping[str, Any], partition: int, offset: int) -> None:
        if keys := headers.get(records.REMOVED):
            for key in records.removed_keys(keys):
                if (gone := self._told.pop(key, None)) is not None:
                    self._removed[key] = (gone.partition, gone.first)
        if ends := headers.get(records.CLEARED):
            self._forget({**records.cleared_ends(ends), partition: offset})

    def _forget(self, before: Mapping[int, int]) -> None:
        self._told = {
            key: one for key, one in self._told.items() if one.first >= before.get(one.partition, 0)
        }
        self._removed = {
            key: (partition, first)
            for key, (partition, first) in self._removed.items()
            if first >= before.get(partition, 0)
        }
        self._pending = {
            key: batch
            for key, batch in self._pending.items()
            if batch.first >= before.get(records.PARTITION, 0)
        }
        self.size = sum(len(one.body) + _OVERHEAD for one in self._told.values())


class Transcripts:
    """The transcripts that were used last, as many as fit into memory."""

    def __init__(self, limit: int) -> None:
        self._limit = limit  # bytes
        self._kept: OrderedDict[tuple[str, ...], Transcript] = OrderedDict()
        self._size: dict[tuple[str, ...], int] = {}
        self._total = 0
        self._lock = threading.Lock()

    def of(self, names: tuple[str, ...]) -> Transcript:
        """Return the transcript of a session's topic, new if there is none."""
        with self._lock:
            transcript = self._kept.setdefault(names, Transcript())
            self._kept.move_to_end(names)
            return transcript

    def weigh(self, names: tuple[str, ...], transcript: Transcript) -> None:
        """Take note of how large one has become; those not used for longest make room."""
        with self._lock:
            if self._kept.get(names) is not transcript:
                return
            size = transcript.size + _OVERHEAD
            self._total += size - self._size.get(names, 0)
            self._size[names] = size
            while self._total > self._limit:
                oldest, _ = self._kept.popitem(last=False)
                self._total -= self._size.pop(oldest, 0)
