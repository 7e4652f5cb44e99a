"""The errors of the server column. This floor knows nothing above it.

AssistantError
  ├─ InvalidRequest    400  the caller sent something wrong; `param` names it
  ├─ Unauthenticated   401  no key, or one we do not know
  ├─ PermissionDenied  403  what is asked is nobody's to do here
  ├─ NotFound          404  no such object, or not the caller's
  ├─ MethodNotAllowed  405  the path exists, the method does not
  ├─ Conflict          409  the same request is being carried out; ask again in a moment
  ├─ TooManyRuns       429  as many runs wait already as may; ask again later
  ├─ ServerFault       500  our own defect; the details are in the log
  └─ Unavailable       503  the server is starting or ending; ask again in a moment
StartError                  the product cannot start; the text says what to do
UpstreamError               the model server failed; becomes a run's `last_error`
  └─ Unreachable            nobody listens at its address
LeaseLost                   this process no longer owns the run it was writing
CancelRequested             the run was cancelled before what was to be stored of it

The texts, types and codes follow the hosted API's captured error bodies, so that programs which
match on them keep working.
"""

from enum import StrEnum


class AssistantError(Exception):
    """An error the API answers with; knows its HTTP status and OpenAI `type`."""

    status = 500
    type = "server_error"

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code


class InvalidRequest(AssistantError):
    """The request is wrong; the message names what and how to mend it."""

    status = 400
    type = "invalid_request_error"


class Unauthenticated(AssistantError):
    """Send `Authorization: Bearer KEY` with a key of this server."""

    status = 401
    type = "invalid_request_error"


class PermissionDenied(AssistantError):
    """The object exists, but this server lets nobody do that to it."""

    status = 403
    type = "invalid_request_error"


class NotFound(AssistantError):
    """No such object, or it belongs to somebody else."""

    status = 404
    type = "invalid_request_error"


class MethodNotAllowed(AssistantError):
    """The path is served, but not with this method."""

    status = 405
    type = "invalid_request_error"


class Conflict(AssistantError):
    """The same request is being carried out right now; ask again in a moment."""

    status = 409
    type = "invalid_request_error"


class TooManyRuns(AssistantError):
    """The queue is full; whoever asks again after `retry_after` seconds may find room."""

    status = 429
    type = "rate_limit_error"

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message, code="rate_limit_exceeded")
        self.retry_after = retry_after


class ServerFault(AssistantError):
    """Our own defect; the caller gets a plain sentence, the log gets the cause."""


class StartError(Exception):
    """The product cannot start; the text says why and what to do."""


class RunErrorCode(StrEnum):
    """The three codes a run's `last_error` may carry."""

    SERVER_ERROR = "server_error"
    RATE_LIMIT_EXCEEDED = "rate_limit_exceeded"
    INVALID_PROMPT = "invalid_prompt"


class Trouble(StrEnum):
    """What may help when a model server has failed."""

    PASSING = "passing"  # the same request, a little later
    ELSEWHERE = "elsewhere"  # another model or server: this one lacks the model, or its budget
    PARAMETER = "parameter"  # the same request without the parameter that was refused
    REQUEST = "request"  # nothing: this request will not be accepted


class UpstreamError(Exception):
    """The model server failed; `message` is fit for the person who waits for the answer.

    `retry_after`: the seconds it asks to be left alone. `parameter`: what it does not accept, by
    its name on the wire.
    """

    def __init__(
        self,
        message: str,
        code: RunErrorCode = RunErrorCode.SERVER_ERROR,
        *,
        trouble: Trouble = Trouble.PASSING,
        retry_after: float | None = None,
        parameter: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.trouble = trouble
        self.retry_after = retry_after
        self.parameter = parameter


class Unreachable(UpstreamError):
    """Nobody listens at the model server's address."""


class Unavailable(AssistantError):
    """The server is starting or ending; ask again in a moment."""

    status = 503


class LeaseLost(Exception):
    """The run was taken over or deleted; whoever meets this must stop writing."""


class CancelRequested(Exception):
    """The run was cancelled, perhaps by another process, before its outcome could be stored."""
