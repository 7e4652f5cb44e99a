"""What a process that reads documents has to complain of, for the log.

Libraries quote what they stumble over, and the text of a document belongs in no log: only which
error it was and where is passed on.
"""

import logging
import re
from asyncio import StreamReader

PIECE = 64 * 1024  # bytes looked at together
MOST_LINES = 8  # of each piece: the last ones say the most

_TELLING = re.compile(
    r'^ *File "[^"\n]+", line \d+'
    r"|^(?:\w+\.)*\w*(?:Error|Exception|Exit|Interrupt)\b"
    r"|^memory allocation of \d+ bytes failed"
    r"|^thread '[^'\n]{1,50}'.{0,20} panicked at [\w./-]+:\d+",
    re.M,
)

logger = logging.getLogger(__name__)


async def log_complaints(stream: StreamReader) -> None:
    """Read what a process writes to its error output to its end, and log what may be."""
    begun = b""  # a line, which may come in several pieces
    while piece := await stream.read(PIECE):
        lines, _, begun = (begun + piece).rpartition(b"\n")
        begun = begun[-PIECE:]
        _log(lines)
    _log(begun)


def _log(lines: bytes) -> None:
    found = _TELLING.findall(lines.decode(errors="replace"))
    if found:
        told = "; ".join(line.strip() for line in found[-MOST_LINES:])
        logger.warning("the process that reads documents: %s", told)
