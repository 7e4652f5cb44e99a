"""Text for PostgreSQL, which holds no NUL characters: JSON escapes them, plain text loses them."""

from typing import Any

from psycopg.types.string import StrDumper


class NulFreeDumper(StrDumper):
    """Leaves NUL characters out, which say nothing to anybody."""

    def dump(self, obj: str) -> Any:
        """Return the text as PostgreSQL takes it."""
        return super().dump(obj.replace("\0", ""))
