"""The errors of the archive. Each text is for the person who called it.

ArchiveError
  ├─ PlaceTrouble    the place of the archive cannot be used
  │    └─ NotArchived    the place does not hold the thread
  └─ BrokenObject    what the place holds of a thread is not what was put there
"""


class ArchiveError(Exception):
    """What was asked for cannot be done; the text says why and what to do."""


class PlaceTrouble(ArchiveError):
    """The place of the archive cannot be used; the text names it."""


class NotArchived(PlaceTrouble):
    """The place does not hold the thread."""


class BrokenObject(ArchiveError):
    """What the place holds of a thread is not what was put there; nothing is restored from it."""
