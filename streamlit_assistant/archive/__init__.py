"""The archive: threads that nobody has used for long, kept outside the database.

It knows the store and the floor; `main` calls it.
"""

from streamlit_assistant.archive.command import ArchiveCommand
from streamlit_assistant.archive.command_line import add_arguments

__all__ = ["ArchiveCommand", "add_arguments"]
