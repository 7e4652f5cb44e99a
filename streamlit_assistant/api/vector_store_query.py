"""What query strings of vector stores hold beside the cursors."""

from starlette.requests import Request

from streamlit_assistant.errors import InvalidRequest
from streamlit_assistant.file_records import IndexStatus

_SHOWN = ("in_progress", "completed", "failed", "cancelled")


def status_filter(request: Request) -> IndexStatus | None:
    """Return the status that listed files must have, if one is asked for."""
    given = request.query_params.get("filter")
    if given is not None and given not in _SHOWN:
        named = ", ".join(f"'{status}'" for status in _SHOWN[:-1])
        raise InvalidRequest(
            f"Invalid value: '{given[:100]}'. Supported values are: {named}, and '{_SHOWN[-1]}'.",
            param="filter",
            code="invalid_value",
        )
    return None if given is None else IndexStatus(given)


def content_start(request: Request) -> int:
    """Return where the asked page of a file's text begins; `page` is what `next_page` was."""
    for name in request.query_params:
        if name != "page":
            raise InvalidRequest(
                f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter"
            )
    given = request.query_params.get("page", "0")
    if not (given.isascii() and given.isdecimal() and len(given) < 10):
        raise InvalidRequest(
            f"Invalid value: '{given[:100]}'. Give what 'next_page' was.",
            param="page",
            code="invalid_value",
        )
    return int(given)
