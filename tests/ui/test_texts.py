"""The catalogues: complete, alike, and used."""

import ast
import string
from pathlib import Path
from typing import get_args

import pytest

import streamlit_assistant
from streamlit_assistant.catalogue import CHINESE, ENGLISH, LOCALES
from streamlit_assistant.chatbot import Ending, ErrorKind
from streamlit_assistant.ui.composer import SUGGESTIONS
from streamlit_assistant.ui.notices import WAYS
from streamlit_assistant.ui.texts import language_for, load_texts

SOURCE = Path(streamlit_assistant.__file__).parent
EN, ZH = load_texts(ENGLISH), load_texts(CHINESE)


def placeholders(words: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(words) if name}


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("en-US", ENGLISH),
        ("de", ENGLISH),
        (None, ENGLISH),
        ("", ENGLISH),
        ("zh-CN", CHINESE),
        ("zh", CHINESE),
        ("zh_Hant_TW", CHINESE),
        ("ZH-hk", CHINESE),
        ("zha", ENGLISH),
    ],
)
def test_every_kind_of_chinese_gets_chinese_and_all_others_english(
    locale: str | None, language: str
) -> None:
    assert language_for(locale) == language


def test_there_is_a_catalogue_for_each_language_and_no_other() -> None:
    assert sorted(path.stem for path in LOCALES.glob("*.json")) == sorted([ENGLISH, CHINESE])


def test_both_catalogues_have_the_same_keys_in_the_same_order() -> None:
    assert list(EN.catalogue) == list(ZH.catalogue)


@pytest.mark.parametrize("key", EN.catalogue)
def test_both_languages_have_words_with_the_same_gaps(key: str) -> None:
    assert EN.catalogue[key].strip()
    assert ZH.catalogue[key].strip()
    assert placeholders(EN.catalogue[key]) == placeholders(ZH.catalogue[key])


def test_every_key_is_used() -> None:
    constants, beginnings = _strings_in_the_source()
    unused = [
        key
        for key in EN.catalogue
        if key not in constants and not key.startswith(tuple(beginnings))
    ]

    assert unused == []


def test_every_key_composed_while_the_page_runs_exists() -> None:
    composed = {f"problem.{kind}" for kind in get_args(ErrorKind)}
    composed |= {f"ending.{ending}" for ending in Ending if ending is not Ending.COMPLETED}
    composed |= {f"way.{way}" for way in WAYS}
    composed |= {f"suggestion.{name}{part}" for name in SUGGESTIONS for part in ("", ".prompt")}
    composed |= {f"sidebar.{group}" for group in ("today", "yesterday", "week", "older")}
    composed |= {f"status.{state}" for state in ("queued", "thinking")}
    composed |= {f"notice.{notice}" for notice in ("unknown_chat", "too_long")}

    assert composed <= set(EN.catalogue)


def _strings_in_the_source() -> tuple[set[str], set[str]]:
    """The strings of our source, and what its f-strings begin with."""
    constants: set[str] = set()
    beginnings: set[str] = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                constants.add(node.value)
            if isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
                beginnings.add(str(node.values[0].value))
    return constants, {beginning for beginning in beginnings if beginning.endswith(".")}
