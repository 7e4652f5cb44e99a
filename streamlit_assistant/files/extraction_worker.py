"""The process in which documents are read, so that none can harm or delay the server.

It takes one request a line on its input, `{"path", "filename", "max_tokens", "overlap_tokens"}`,
and answers in frames: four bytes of length, then JSON. Frames with `chunks` come until one says
`"done": true` or `"code"` and `"message"`, why the document cannot be read.
"""

import json
import logging
import os
import resource
import signal
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from streamlit_assistant.files.chunking import chunk
from streamlit_assistant.files.extraction import TOO_LARGE, extract
from streamlit_assistant.files.terms import Analyzer
from streamlit_assistant.files.unreadable import INVALID_FILE, Unreadable
from streamlit_assistant.json_text import to_json
from streamlit_assistant.records import JSON

NICENESS = 10
MOST_MEMORY = 2 * 1024**3  # bytes
CHUNKS_A_FRAME = 64
# The server gives up long before; this ends a process whose server was killed.
MOST_SECONDS = 900
LENGTH = struct.Struct(">I")
UNKNOWN = "The file is damaged and cannot be read."

logger = logging.getLogger(__name__)


def main() -> None:
    """Answer until the input ends."""
    _limit()
    answers = _take_output()
    analyzer = Analyzer()
    for line in sys.stdin.buffer:
        signal.alarm(MOST_SECONDS)
        for frame in _frames(json.loads(line), analyzer):
            data = to_json(frame).encode()
            answers.write(LENGTH.pack(len(data)) + data)
        answers.flush()
        signal.alarm(0)


def _take_output() -> BinaryIO:
    """Keep the output for answers: what a library prints goes where errors go."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answers


def _limit() -> None:
    # Service managers send it to every process of a service: the server is to end this one, else
    # the document would count as one that nobody can read.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(ValueError, OSError):  # not every system limits it
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))


def _frames(request: JSON, analyzer: Analyzer) -> Iterator[JSON]:
    try:
        text = extract(Path(request["path"]), request["filename"])
        found = chunk(text, request["max_tokens"], request["overlap_tokens"], analyzer)
    except Unreadable as reason:
        yield {"code": reason.code, "message": reason.message}
        return
    except MemoryError:
        yield {"code": INVALID_FILE, "message": TOO_LARGE}
        return
    except Exception:  # whatever a parser raises on what is no proper document
        logger.exception("a document could not be read")
        yield {"code": INVALID_FILE, "message": UNKNOWN}
        return
    for at in range(0, len(found), CHUNKS_A_FRAME):
        some = found[at : at + CHUNKS_A_FRAME]
        yield {"chunks": [(piece.text, piece.terms, piece.start) for piece in some]}
    yield {"done": True}


if __name__ == "__main__":
    main()
