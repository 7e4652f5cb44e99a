"""What a model is asked to show what it can do: a few tiny requests, plain data."""

import base64
import json
import struct
import zlib
from collections.abc import Sequence

from streamlit_assistant.providers.base import PromptMessage
from streamlit_assistant.records import JSON

# Long enough to come in pieces, and to measure how fast they come.
COUNT = "Count from 1 to 30 in digits, with a space between them. Write nothing else."
GREET = "Answer with the one word: hello"

TOOL = "get_time"
CLOCK: JSON = {
    "name": TOOL,
    "description": "Tells what time it is in a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string", "description": "The city's name"}},
        "required": ["city"],
    },
}
USE_TOOLS = "You do not know the time. Find it out with the function get_time."
ONE_CITY = "What time is it in Paris?"
TWO_CITIES = (
    "What time is it in Paris, and what time is it in Tokyo? "
    "Call the function for both cities at once."
)
TOLD = "It is 04:27 in the morning."
TIME = "27"  # what an answer repeats of it, however the model writes the hour

# Nothing in the question gives the names away: only who obeys the schema knows them.
DESCRIBE = "Describe the city of Paris."
CITY_FORM: JSON = {
    "type": "json_schema",
    "json_schema": {
        "name": "place",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {
                "place_name": {"type": "string"},
                "is_seat_of_government": {"type": "boolean"},
            },
            "required": ["place_name", "is_seat_of_government"],
            "additionalProperties": False,
        },
    },
}

# A colour that nobody guesses who cannot see it.
PURPLE = (128, 0, 128)
PURPLE_WORDS = ("purple", "violet", "magenta", "plum", "lilac", "fuchsia", "紫")
WHAT_COLOUR = "Which colour is this picture? Answer with the colour's name alone."
PICTURE_SIZE = 64  # pixels a side; some models refuse smaller ones

SAMPLE_TEXT = "The quick brown fox jumps over the lazy dog."


def said(text: str, *more: JSON) -> PromptMessage:
    """Return a person's message."""
    return PromptMessage("user", [{"type": "text", "text": {"value": text}}, *more])


def picture() -> JSON:
    """Return a purple picture as a part of a message."""
    encoded = base64.b64encode(png(PICTURE_SIZE, PICTURE_SIZE, PURPLE)).decode()
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{encoded}"}}


def png(width: int, height: int, colour: Sequence[int]) -> bytes:
    """Return a picture of one colour as a PNG file."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits of red, green, blue
    row = b"\x00" + bytes(colour) * width  # each begins with its filter: none
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(row * height)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def fits_the_form(text: str) -> bool | None:
    """Return whether an answer is as `CITY_FORM` wants it; None if it is no JSON at all."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    kinds = {"place_name": str, "is_seat_of_government": bool}
    return (
        isinstance(value, dict)
        and value.keys() == kinds.keys()
        and all(isinstance(value[name], kind) for name, kind in kinds.items())
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
