"""Bodies of requests about files and uploads, one class an operation."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from streamlit_assistant.api.fields import Body
from streamlit_assistant.files.library import MOST_UPLOAD_BYTES

Purpose = Literal["assistants", "batch", "fine-tune", "vision", "user_data", "evals"]
MOST_UPLOAD_PARTS = 10_000


def _number(value: Any) -> Any:
    # A form knows only text.
    is_number = isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16
    return int(value) if is_number else value


class ExpiresAfter(Body):
    """When a file is to be removed."""

    anchor: Literal["created_at"]
    seconds: Annotated[int, Field(ge=3600, le=2_592_000)]


class FormExpiresAfter(ExpiresAfter):
    """The same from the fields of a form."""

    seconds: Annotated[int, BeforeValidator(_number), Field(ge=3600, le=2_592_000)]


class CreateFile(Body):
    """`POST /files`, a form; `file` is the name under which the file came."""

    file: str
    purpose: Purpose
    expires_after: FormExpiresAfter | None = None


class CreateUpload(Body):
    """`POST /uploads`"""

    filename: Annotated[str, StringConstraints(min_length=1)]
    purpose: Purpose
    bytes: Annotated[int, Field(ge=0, le=MOST_UPLOAD_BYTES)]
    mime_type: Annotated[str, StringConstraints(max_length=255)]
    expires_after: ExpiresAfter | None = None


class AddPart(Body):
    """`POST /uploads/{upload_id}/parts`, a form; `data` is the name under which the part came."""

    data: str


class CompleteUpload(Body):
    """`POST /uploads/{upload_id}/complete`"""

    part_ids: Annotated[list[str], Field(max_length=MOST_UPLOAD_PARTS, fail_fast=True)]
    md5: str | None = None
