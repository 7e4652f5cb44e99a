"""The accepted forms of the settings on model servers; see `setting_values`. Part of the floor."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import unquote

from streamlit_assistant.hosted_tools import ACCEPTED, read_hosted_tools
from streamlit_assistant.records import JSON
from streamlit_assistant.setting_values import (
    Refused,
    api_key,
    boolean,
    http_url,
    model_name,
    text,
    whole_number,
)

FALLBACK_FORM = (
    "models separated by commas; one of another server as model@https://:KEY@host/v1, "
    "with @ : / and % of the key as %40 %3A %2F and %25"
)
ALIAS_FORM = "pairs of models separated by commas, such as gpt-4o=llama3.2, gpt-4=llama3.2"
Api = Literal["chat", "responses"]
APIS: Mapping[str, Api | None] = {"auto": None, "chat": "chat", "responses": "responses"}


@dataclass(frozen=True)
class FallbackModel:
    """A model that may answer in place of another one; `base_url` None: at the same server."""

    model: str
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)


def api_name(value: object) -> Api | None:
    """A protocol of model servers; None: whichever is best for the server."""
    word = str(value).strip().lower()
    if word not in APIS:
        raise Refused("one of auto, responses, chat")
    return APIS[word]


def fallback_models(value: object) -> tuple[FallbackModel, ...]:
    """Models that may answer in place of others, in order."""
    return tuple(_fallback_model(entry) for entry in _entries(value, FALLBACK_FORM))


def _fallback_model(entry: str) -> FallbackModel:
    model, at, place = re.split(r"(@(?=https?://)|$)", entry, maxsplit=1)
    try:
        name = model_name(model)
        if not name:
            raise Refused(FALLBACK_FORM)
        if not at:
            return FallbackModel(name)
        scheme, _, rest = place.partition("://")
        netloc, slash, path = rest.partition("/")
        key, has_key, address = netloc.rpartition("@")
        if has_key and not key.startswith(":"):
            raise Refused(FALLBACK_FORM)
        url = http_url(f"{scheme}://{address}{slash}{path}")
        return FallbackModel(name, url, api_key(unquote(key[1:])) if has_key else None)
    except Refused:
        raise Refused(FALLBACK_FORM) from None


def model_aliases(value: object) -> tuple[tuple[str, str], ...]:
    """Models to be asked in place of others: pairs of the one and the other."""
    if isinstance(value, Mapping):
        value = [f"{asked}={answering}" for asked, answering in value.items()]
    pairs = [entry.partition("=") for entry in _entries(value, ALIAS_FORM)]
    if not all(asked.strip() and answering.strip() for asked, _, answering in pairs):
        raise Refused(ALIAS_FORM)
    return tuple((model_name(asked), model_name(answering)) for asked, _, answering in pairs)


def hosted_tools(value: object) -> tuple[JSON, ...]:
    """Tools that the model server executes, for every assistant."""
    if isinstance(value, list) and all(isinstance(entry, str) for entry in value):
        value = ", ".join(value)
    try:
        given = value if isinstance(value, str) else json.dumps(value)
        return tuple(read_hosted_tools(given))
    except (TypeError, ValueError):  # the former of dates, which TOML knows
        raise Refused(ACCEPTED) from None


def _entries(value: object, accepted: str) -> list[str]:
    entries = value if isinstance(value, list) else text(value, accepted).split(",")
    if not all(isinstance(entry, str) for entry in entries):
        raise Refused(accepted)
    return [entry.strip() for entry in entries if entry.strip()]


def per_minute(value: object) -> int:
    """How many requests or tokens a model server may be sent in a minute."""
    return whole_number(value, 1, 999_999_999)


def cache_seconds(value: object) -> int:
    """How long an answer may be given again."""
    return whole_number(value, 0, 2_592_000)


def patience_seconds(value: object) -> int:
    """How long a model server may be silent."""
    return whole_number(value, 1, 3600)


def boolean_or_auto(value: object) -> bool | None:
    """A yes or a no; None: whichever is best for the server."""
    if str(value).strip().lower() == "auto":
        return None
    try:
        return boolean(value)
    except Refused as refused:
        raise Refused(f"auto, or {refused}") from None
