"""All tables together: what a database of ours consists of."""

from streamlit_assistant.store import (
    file_tables,
    mirror_tables,
    process_tables,
    tables,
    upstream_tables,
)

__all__ = ["metadata"]

metadata = tables.metadata
# Named, so that no tool takes the imports for idle: declaring the tables is what they do.
PARTS = (tables, file_tables, process_tables, upstream_tables, mirror_tables)
