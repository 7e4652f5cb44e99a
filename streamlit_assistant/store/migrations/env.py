"""Alembic's entry: runs the migrations on the connection that the store hands over."""

from alembic import context

from streamlit_assistant.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite alters tables by copying them
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
