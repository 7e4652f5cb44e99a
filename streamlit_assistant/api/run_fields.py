"""The pieces of which requests to run are made: how to answer, and from how much."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from streamlit_assistant.api.fields import MOST_TOKENS, Body, by_type, string_or, tag
from streamlit_assistant.api.validation import BadField


class PlainFormat(Body):
    """`{"type": "text"}` or `{"type": "json_object"}`"""

    type: Literal["text", "json_object"]


class JsonSchema(Body):
    """A schema that the answer must follow."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+$", max_length=64)]
    description: str | None = None
    schema_: Annotated[dict[str, Any] | None, Field(alias="schema")] = None
    strict: bool | None = None


class JsonSchemaFormat(Body):
    """`{"type": "json_schema"}`"""

    type: Literal["json_schema"]
    json_schema: JsonSchema


ResponseFormat = Annotated[
    Annotated[Literal["auto"], tag("string")]
    | Annotated[PlainFormat, tag("text")]
    | Annotated[PlainFormat, tag("json_object")]
    | Annotated[JsonSchemaFormat, tag("json_schema")],
    string_or(by_type, "'auto' or an object with a known 'type'"),
]


class Truncation(Body):
    """How much of the thread the model is shown."""

    type: Literal["auto", "last_messages"]
    last_messages: Annotated[int, Field(ge=1, le=MOST_TOKENS)] | None = None

    @model_validator(mode="after")
    def _last_messages_needs_a_number(self) -> "Truncation":
        if self.type == "last_messages" and self.last_messages is None:
            raise BadField(
                "Missing required parameter: '{param}'.",
                "missing_required_parameter",
                ".last_messages",
            )
        return self
