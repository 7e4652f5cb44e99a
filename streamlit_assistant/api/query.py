"""Query strings and path ids."""

import re

from starlette.requests import Request

from streamlit_assistant.api.gate import strict_ids
from streamlit_assistant.api.validation import invalid
from streamlit_assistant.errors import InvalidRequest
from streamlit_assistant.records import PageQuery

MOST_ITEMS = 100
_NUMBER = re.compile(r"-?[0-9]{1,18}")
# The only thing that may be asked to be included in run steps; results come with file search.
_INCLUDE = re.compile(r"include(\[\d*\])?")  # as the clients write the names of lists
INCLUDABLE = "step_details.tool_calls[*].file_search.results[*].content"

_PREFIXES = {
    "assistant_id": "asst",
    "thread_id": "thread",
    "message_id": "msg",
    "run_id": "run",
    "step_id": "step",
    "file_id": "file",
    "upload_id": "upload",
    "part_id": "part",
    "vector_store_id": "vs",
    "batch_id": "vsfb",
}


def path_id(request: Request, name: str) -> str:
    """Return an id from the path; refuse one that cannot be of its kind."""
    return check_id(request, name, str(request.path_params[name]))


def check_id(request: Request, name: str, value: str) -> str:
    """Return the id if it begins as its kind does, or if this server looks up whatever it is."""
    prefix = _PREFIXES[name]
    separator = "-" if prefix == "file" else "_"
    if strict_ids(request) and not value.startswith(f"{prefix}{separator}"):
        raise InvalidRequest(
            f"Invalid '{name}': '{value[:100]}'. Expected an ID that begins with '{prefix}'.",
            param=name,
            code="invalid_value",
        )
    return value


def page_query(
    request: Request, *also: str, usual: int = 20, most: int = MOST_ITEMS, before: bool = True
) -> PageQuery:
    """Return `limit`, `order`, `after` and `before`; refuse parameters nobody knows."""
    known = {"api-version", "limit", "order", "after", *(["before"] if before else []), *also}
    for name in request.query_params:
        if name not in known and not ("include" in also and _INCLUDE.fullmatch(name)):
            raise InvalidRequest(
                f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter"
            )
    return PageQuery(
        limit=_limit(request.query_params.get("limit", str(usual)), most),
        order=_order(request.query_params.get("order", "desc")),
        after=request.query_params.get("after"),
        before=request.query_params.get("before"),
    )


def check_include(request: Request) -> bool:
    """Return whether the text that file search found is asked for; refuse any other `include[]`."""
    given = [
        value
        for name, value in request.query_params.multi_items()
        if _INCLUDE.fullmatch(name) and value
    ]
    for value in given:
        if value != INCLUDABLE:
            raise InvalidRequest(
                f"Invalid value: '{value[:100]}'. Supported values are: '{INCLUDABLE}'.",
                param="include",
                code="invalid_value",
            )
    return bool(given)


def _limit(given: str, most: int) -> int:
    if not _NUMBER.fullmatch(given):
        raise InvalidRequest(
            "Invalid type for 'limit': expected an integer, but got a string instead.",
            param="limit",
            code="invalid_type",
        )
    limit = int(given)
    if limit > most:
        raise invalid(
            "limit",
            f"integer above maximum value. Expected a value <= {most}, but got {limit} instead.",
            "integer_above_max_value",
        )
    if limit < 1:
        raise invalid(
            "limit",
            f"integer below minimum value. Expected a value >= 1, but got {limit} instead.",
            "integer_below_min_value",
        )
    return limit


def _order(given: str) -> str:
    if given not in ("asc", "desc"):
        raise InvalidRequest(
            f"Invalid value: '{given[:100]}'. Supported values are: 'asc' and 'desc'.",
            param="order",
            code="invalid_value",
        )
    return given
