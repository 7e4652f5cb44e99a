"""The migrations of the schema, applied in order by Alembic."""

HEAD = "0003"  # the revision that this version of the code expects
