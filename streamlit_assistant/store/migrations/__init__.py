"""The migrations of the schema, applied in order by Alembic."""

HEAD = "0005"  # the revision that this version of the code expects
