"""How fast documents become searchable, from the file on disk to the chunks in the database.

Run with `python -m tests.bench.indexing`. Limit: 1 MB of text a second and core. What counts is the
time of the processor, of this process and of the one that reads documents together, as if they had
to share one.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from streamlit_assistant.files.chunking import CHUNK_TOKENS, OVERLAP_TOKENS
from streamlit_assistant.files.extractor import Extractor
from streamlit_assistant.store import Store, sqlite_url
from tests.bench.figures import progress, show
from tests.bench.texts import chinese, english, markdown
from tests.files.shelf import Shelf

MEGABYTE = 1_000_000
LIMIT = 1.0  # MB a second and core
KINDS: dict[str, Callable[[int], str]] = {
    "English": english,
    "Chinese": chinese,
    "Markdown": markdown,
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=5)
    size = parser.parse_args().megabytes * MEGABYTE
    with tempfile.TemporaryDirectory() as folder:
        rows = asyncio.run(measure(Path(folder), size))
    show(
        f"Indexing {size // MEGABYTE} MB of text, chunks of {CHUNK_TOKENS} tokens, "
        f"{OVERLAP_TOKENS} shared (limit: {LIMIT:g} MB a second and core)",
        ["text", "chunks", "reading", "storing", "MB/s and core", "MB/s"],
        rows,
    )


async def measure(folder: Path, size: int) -> list[list[str]]:
    """Index a document of each kind and tell what it took."""
    store = Store(sqlite_url(folder / "bench.db"), time.time)
    await store.open()
    extractor = Extractor()
    try:
        small = folder / "small"
        small.write_text("The reader is started before the clock.")
        await extractor.read(small, "small.txt", CHUNK_TOKENS, OVERLAP_TOKENS)
        return [await _indexed(Shelf(store), extractor, folder, kind, size) for kind in KINDS]
    finally:
        await extractor.close()
        await store.close()


async def _indexed(
    shelf: Shelf, extractor: Extractor, folder: Path, kind: str, size: int
) -> list[str]:
    progress(kind)
    path = folder / "document"
    path.write_text(KINDS[kind](size), encoding="utf-8")
    megabytes = path.stat().st_size / MEGABYTE
    waiting = await shelf.wait(await shelf.vector_store())
    began, used = time.perf_counter(), _processor_seconds()
    chunks = await extractor.read(path, "document.txt", CHUNK_TOKENS, OVERLAP_TOKENS)
    read = _processor_seconds()
    await shelf.index(waiting, chunks)
    stored, took = _processor_seconds(), time.perf_counter() - began
    return [
        kind,
        f"{len(chunks):,}",
        f"{(read - used) / megabytes:.2f} s/MB",
        f"{(stored - read) / megabytes:.2f} s/MB",
        f"{megabytes / (stored - used):.2f}",
        f"{megabytes / took:.2f}",
    ]


def _processor_seconds() -> float:
    here = psutil.Process()
    times = [process.cpu_times() for process in (here, *here.children(recursive=True))]
    return sum(spent.user + spent.system for spent in times)


if __name__ == "__main__":
    main()
