"""What Alembic runs: it migrates the connection that the store hands over.

There is no alembic.ini and no command line here; `fleet db upgrade` is the way.
"""

from alembic import context

from supervisor_easy.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    compare_type=True,
)
# The store has begun the transaction and ends it, so all revisions go in together.
context.run_migrations()
