"""The words that people read: one file a language. Both columns read it, and it knows neither."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

LOCALES = Path(__file__).resolve().parent / "locales"
ENGLISH = "en"
CHINESE = "zh-CN"


@cache
def read_catalogue(language: str) -> Mapping[str, str]:
    """Return the words of a language by their keys."""
    words: dict[str, str] = json.loads((LOCALES / f"{language}.json").read_text(encoding="utf-8"))
    return words
