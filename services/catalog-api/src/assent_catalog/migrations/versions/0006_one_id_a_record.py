"""A record is one by its id alone, which is made of its urn.

`insert … on conflict (id)` waits for another's row by the id only. A second unique index is checked beside it, so two
who insert the same new row at once could find one of them refused. Writing waits while the indexes are built.
"""

from assent_common.migrations import script

revision = "0006"
down_revision = "0005"

TABLES = ("models", "model_versions", "deployments", "datasets")


def upgrade() -> None:
    for table in TABLES:
        # The constraint last: readers wait for that alone.
        script(f"create index {table}_urn on {table} (urn); alter table {table} drop constraint {table}_urn_key;")


def downgrade() -> None:
    for table in TABLES:
        script(f"alter table {table} add constraint {table}_urn_key unique (urn); drop index {table}_urn;")
