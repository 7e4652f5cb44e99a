"""A question cut down to the words that are worth searching for."""

import re

from streamlit_assistant.files.stop_words import CHINESE, ENGLISH

_WORD = re.compile(r"\w+(?:[.@'’/+#-]+\w+)*(?:\+\+|#)?")
_APOSTROPHE = re.compile("['’]")


def keywords(question: str) -> str:
    """Return the question's words without those that say nothing; all if there are no others."""
    text = question
    for phrase in CHINESE:
        text = text.replace(phrase, " ")
    kept = [word for word in _WORD.findall(text) if not _says_nothing(word)]
    return " ".join(kept) or question.strip()


def _says_nothing(word: str) -> bool:
    # "isn't" is made of two words that say nothing.
    return all(part in ENGLISH for part in _APOSTROPHE.split(word.casefold()))
