"""Bytes to text, whatever encoding they are in; what is no text is refused.

UTF-8 first, then what a byte order mark or the look of the bytes says. Encodings of the East are
tried with a check of their own: each can read the bytes of the others, into nonsense.
"""

import codecs
import re
import string
import unicodedata
from pathlib import Path

from charset_normalizer import from_bytes

from streamlit_assistant.files.unreadable import UNSUPPORTED_FILE, Unreadable

NOT_TEXT = "The file is not text, and not a kind of document that can be read."
SAMPLE = 256 * 1024  # bytes; enough to tell encodings apart
MOST_BROKEN = 0.01  # of the characters beyond ASCII
MOST_CONTROLS = 0.02  # of all characters

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins like UTF-16's
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_EASTERN = ("gb18030", "big5", "shift_jis", "euc_jp", "euc_kr")
_VARIANTS = """
    big5hkscs cp932 cp949 cp950 euc_jis_2004 euc_jisx0213 gb2312 gbk hz johab shift_jis_2004
    shift_jisx0213 utf_7 utf_16 utf_32
"""
_WIDE = ("utf-16-le", "utf-16-be")
# The characters that every longer text in the script has: an encoding that finds few is not it.
_COMMON = {
    "gb18030": frozenset(
        "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那"
    ),
    "big5": frozenset(
        "的一是不了在人有我他這個們中來上大為和國地到以說時要就出會可也你對生能而子那"
    ),
    "shift_jis": frozenset("のにはをたがでてとしれさいるすもなんかこうらっまりくよ"),
    "euc_jp": frozenset("のにはをたがでてとしれさいるすもなんかこうらっまりくよ"),
    "euc_kr": frozenset("이다의는에을를가고하지한은로도서기사대시자스인리나아어"),
    "cp1252": frozenset("äöüßÄÖÜéèêëàâîïôùûçœÉÀÇñáíóúãõåøæÅØÆ’‘“”„–—…€£§°«»¿¡ ·©®"),
}
_PLAIN = frozenset(string.printable).union(*_COMMON.values())
LEAST_COMMON = 0.08  # of the characters beyond ASCII
LEAST_WESTERN = 0.9
_STRANGE = {"Cn", "Co", "Cs"}  # what Unicode has not given out, or not to everybody
_BEYOND = re.compile(r"[^\x00-\x7f]")
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")


def read(path: Path) -> str:
    """Return the text of a file; see `decode`."""
    return decode(path.read_bytes())


def decode(data: bytes) -> str:
    """Return the text; raise `Unreadable` for what is none."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _checked(data.decode(encoding, "replace"))
    if b"\0" in data[:SAMPLE]:
        return _checked(data.decode(_wide(data[:SAMPLE]), "replace"))
    try:
        return _checked(data.decode())
    except UnicodeDecodeError:
        pass
    text = data.decode(errors="replace")
    beyond = len(_BEYOND.findall(text))
    if text.count("\ufffd") <= beyond * MOST_BROKEN:
        return _checked(text)
    return _checked(data.decode(_narrow(data[:SAMPLE]), "replace"))


def _wide(sample: bytes) -> str:
    """Tell the two UTF-16 without a mark: the wrong one has letters that nobody puts together."""
    sample = sample[: len(sample) // 2 * 2]
    texts = {encoding: sample.decode(encoding, "replace") for encoding in _WIDE}
    encoding = max(texts, key=lambda name: sum(map(_PLAIN.__contains__, texts[name])))
    strange = sum(unicodedata.category(character) in _STRANGE for character in texts[encoding])
    if strange > len(texts[encoding]) * MOST_BROKEN:
        raise Unreadable(UNSUPPORTED_FILE, NOT_TEXT)
    return encoding


def _narrow(sample: bytes) -> str:
    eastern = max(_EASTERN, key=lambda encoding: _likeness(sample, encoding))
    if _likeness(sample, eastern) >= LEAST_COMMON:
        return eastern
    if _likeness(sample, "cp1252") >= LEAST_WESTERN:
        return "cp1252"
    best = from_bytes(sample, cp_exclusion=[*_EASTERN, *_VARIANTS.split()]).best()
    if best is None:
        raise Unreadable(UNSUPPORTED_FILE, NOT_TEXT)
    return best.encoding


def _likeness(sample: bytes, encoding: str) -> float:
    text = sample.decode(encoding, "replace")
    beyond = _BEYOND.findall(text)
    if not beyond or text.count("\ufffd") > len(beyond) * MOST_BROKEN + 1:
        return 0
    return sum(character in _COMMON[encoding] for character in beyond) / len(beyond)


def _checked(text: str) -> str:
    sample = text[:SAMPLE]
    if len(_CONTROLS.findall(sample)) > 2 + len(sample) * MOST_CONTROLS:
        raise Unreadable(UNSUPPORTED_FILE, NOT_TEXT)
    return text
