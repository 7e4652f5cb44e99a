"""What a history can fail with.

HistoryError
  ├─ HistoryUnavailable  the store is away; to add messages with ids again is safe
  ├─ MessageRefused      the store will never take this message; the text says why
  ├─ BadAddress          the URL or an option of it is wrong; the text says what is accepted
  └─ MissingDriver       a library is not installed; the text says which extra brings it
"""


class HistoryError(Exception):
    """A history could not do what it was asked to. No text of these holds a password."""


class HistoryUnavailable(HistoryError):
    """The store does not answer; try again when it does."""


class MessageRefused(HistoryError):
    """The store will never take this message, however often it is tried."""


class BadAddress(HistoryError, ValueError):
    """The address of the store, or an option in it, is wrong."""


class MissingDriver(HistoryError, ImportError):
    """The library that speaks to this store is not installed."""
