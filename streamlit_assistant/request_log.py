"""The id of the request that is being served, and how it comes into every line of the log.

Part of the floor. A task inherits the context it was made in, so what a run logs long after its
request was answered still names the request that started it.
"""

import logging
from contextvars import ContextVar
from typing import Any

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")


class RequestRecord(logging.LogRecord):
    """A line of the log that begins with the id of its request, if there is one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request_id = REQUEST_ID.get()

    def getMessage(self) -> str:
        """Return the line's words; every formatter asks here, whoever made it."""
        message = super().getMessage()
        return f"{self.request_id} {message}" if self.request_id else message


def log_request_ids() -> None:
    """Let every line that this process logs carry the id of its request."""
    # Not a filter on a handler: Streamlit replaces its handlers whenever its options change.
    logging.setLogRecordFactory(RequestRecord)
