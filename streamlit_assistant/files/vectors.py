"""Vectors of chunks in memory: which are nearest to those of a question.

NumPy is loaded with this module, so it is imported only where there are embeddings. Nothing here
waits; what takes long is called in a thread.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST_BYTES = 256 * 1024 * 1024

Floats = NDArray[np.float32]
Numbers = NDArray[np.int64]
Row = tuple[int, int, bytes]  # chunk, file, vector


def packed(vectors: Sequence[Sequence[float]]) -> list[bytes]:
    """Return the vectors at length 1, as they are stored: little-endian float32."""
    return [row.tobytes() for row in normalised(vectors).astype("<f4")]


def normalised(vectors: Sequence[Sequence[float]]) -> Floats:
    """Return the vectors as rows of length 1; those of nothing but zeros stay."""
    rows = np.asarray(vectors, dtype=np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths == 0, 1, lengths), dtype=np.float32)


@dataclass(frozen=True)
class Matrix:
    """The vectors of one vector store, by chunk.

    `files` are those whose chunks were asked for, and which time they had been indexed by then.
    """

    files: Mapping[int, int]
    seqs: Numbers
    file_seqs: Numbers
    rows: Floats

    def lacks(self, files: Mapping[int, int]) -> list[int]:
        """Return those of the files that it does not have, or as they were another time."""
        return sorted(files.keys() - dict(files.items() & self.files.items()))

    def changed(self, files: Mapping[int, int], new: Sequence[Row]) -> "Matrix":
        """Return the matrix of exactly these files; `new` are the chunks of those it lacks."""
        kept = np.isin(self.file_seqs, list(files.keys() - set(self.lacks(files))))
        seqs, file_seqs, rows = self.seqs[kept], self.file_seqs[kept], self.rows[kept]
        if added := _alike(new, rows.shape[1] * 4 if len(rows) else 0):
            block = np.frombuffer(b"".join(row[2] for row in added), dtype="<f4")
            block = block.reshape(len(added), -1).astype(np.float32, copy=False)
            seqs = np.append(seqs, np.array([row[0] for row in added], dtype=np.int64))
            file_seqs = np.append(file_seqs, np.array([row[1] for row in added], dtype=np.int64))
            rows = np.concatenate([rows, block]) if len(rows) else block
        return Matrix(dict(files), seqs, file_seqs, rows)


def _alike(rows: Sequence[Row], size: int) -> list[Row]:
    # A model that was exchanged under its name leaves vectors of another size: not comparable.
    size = size or (len(rows[-1][2]) if rows else 0)
    return [row for row in rows if len(row[2]) == size]


EMPTY = Matrix({}, np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 0), np.float32))


class Nearness:
    """How near the chunks of some matrices are to each of some questions."""

    def __init__(
        self, matrices: Iterable[Matrix], questions: Floats, files: Collection[int] | None
    ) -> None:
        """`files`, if given, are the only ones whose chunks count."""
        fitting = [item for item in matrices if item.rows.shape[1] == questions.shape[1]]
        self._questions = len(questions)
        self._seqs = np.concatenate([EMPTY.seqs, *(item.seqs for item in fitting)])
        self._cosines = np.concatenate(
            [
                np.zeros((0, len(questions)), np.float32),
                *(_dots(i.rows, questions) for i in fitting),
            ]
        )
        if files is not None:
            file_seqs = np.concatenate([EMPTY.file_seqs, *(item.file_seqs for item in fitting)])
            kept = np.isin(file_seqs, list(files))
            self._seqs, self._cosines = self._seqs[kept], self._cosines[kept]

    def nearest(self, limit: int) -> set[int]:
        """Return the chunks nearest to any of the questions, so many for each."""
        found: set[int] = set()
        for column in self._cosines.T:
            if len(column) > limit:
                found.update(self._seqs[np.argpartition(column, -limit)[-limit:]].tolist())
            else:
                found.update(self._seqs.tolist())
        return found

    def cosines(self, seqs: Collection[int]) -> Mapping[int, Sequence[float]]:
        """Return the cosines with each question for those of the chunks that have a vector."""
        kept = np.isin(self._seqs, list(seqs))
        return dict(zip(self._seqs[kept].tolist(), self._cosines[kept].tolist(), strict=True))


def _dots(rows: Floats, questions: Floats) -> Floats:
    # Not as one product of matrices: that would be shared out to threads, which wait for each
    # other ten times longer than one of them needs, on a machine that has other work to do.
    return np.stack([np.vecdot(rows, question) for question in questions], axis=1)


class MatrixCache:
    """Matrices by vector store, those asked for last; always the last one, whatever its size."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._kept: OrderedDict[tuple[int, str], Matrix] = OrderedDict()

    def get(self, store: int, model: str) -> Matrix:
        """Return what is known of a vector store; files may have come, gone or changed since."""
        return self._kept.get((store, model), EMPTY)

    def put(self, store: int, model: str, matrix: Matrix) -> None:
        """Keep a matrix, and give up the ones that were asked for longest ago."""
        self._kept[store, model] = matrix
        self._kept.move_to_end((store, model))
        while len(self._kept) > 1 and self._bytes() > self._most_bytes:
            self._kept.popitem(last=False)

    def _bytes(self) -> int:
        return sum(matrix.rows.nbytes for matrix in self._kept.values())
