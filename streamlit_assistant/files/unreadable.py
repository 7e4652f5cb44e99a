"""What a document is refused with: it cannot be searched, and the text says why."""

SERVER_ERROR = "server_error"
UNSUPPORTED_FILE = "unsupported_file"
INVALID_FILE = "invalid_file"


class Unreadable(Exception):
    """No text came out of a file; `code` is one of the three that a vector store's file knows."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class NotRead(Exception):
    """Nobody could look at the file, which says nothing about it: it is to be tried again."""
