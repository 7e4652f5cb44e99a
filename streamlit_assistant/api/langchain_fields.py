"""A message as LangChain had it, beside the role and content that stand for it: our extension."""

from hashlib import sha256
from typing import Annotated, Any

from pydantic import AfterValidator, StringConstraints

from streamlit_assistant.api.fields import Body
from streamlit_assistant.api.strict_json import read_json
from streamlit_assistant.api.validation import BadField, describe
from streamlit_assistant.json_text import to_json
from streamlit_assistant.records import JSON

MOST_LANGCHAIN = 8_000_000  # characters of JSON: far more than a message says, for what it carries
LONGEST_ID = 64  # characters; a longer one is hashed


def _checked(value: Any) -> Any:
    if not isinstance(value, dict | str):
        raise _wrong_type("an object", value)
    length = len(value if isinstance(value, str) else to_json(value))
    if length > MOST_LANGCHAIN:
        raise BadField(
            f"Invalid '{{param}}': too long. Expected JSON with maximum length {MOST_LANGCHAIN}, "
            f"but got JSON with length {length} instead.",
            "string_above_max_length",
        )
    data = _decoded(value)
    if not _is_content(data.get("content", "")):
        raise _wrong_type("a string or an array of strings and objects", data["content"], "content")
    if not isinstance(data.get("id"), str | None):
        raise _wrong_type("a string", data["id"], "id")
    return value


def _wrong_type(expected: str, given: Any, name: str = "") -> BadField:
    inside = f".{name}" if name else ""
    return BadField(
        f"Invalid type for '{{param}}': expected {expected}, but got {describe(given)} instead.",
        "invalid_type",
        inside,
    )


def _is_content(value: Any) -> bool:
    if isinstance(value, list):
        return all(isinstance(block, str | dict) for block in value)
    return isinstance(value, str)


class LangChainMessage(Body):
    """`{"type": …, "data": {…}}`, as LangChain writes a message.

    `data` lacks `content` where the message's own says the same. It may come as the text of its
    JSON: half of a surrogate pair can be said in no other way.
    """

    type: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    data: Annotated[Any, AfterValidator(_checked)]


def langchain_id(message: LangChainMessage) -> str | None:
    """Return the id under which LangChain knows the message, as it is compared."""
    given = _decoded(message.data).get("id")
    if not given:
        return None
    if len(given) <= LONGEST_ID and given.isascii() and given.isprintable():
        return str(given)
    return sha256(given.encode("utf-8", "surrogatepass")).hexdigest()


def _decoded(value: JSON | str) -> JSON:
    if isinstance(value, dict):
        return value
    try:
        data = read_json(value)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise BadField(
            "Invalid '{param}': expected an object, or the JSON of one as a string.",
            "invalid_value",
        )
    return data
