"""What reading a source costs, and up to when it is known to have been seen."""

from assent_common.migrations import script

revision = "0009"
down_revision = "0008"

UP = """
-- What the run asked of AWS: calls, throttled (both by operation) and rates (calls a second by family).
alter table sync_runs add column traffic jsonb not null default '{}';
-- Of the last reading; and the moment before which nothing changed that has not been seen, by our clock.
alter table sources add column traffic jsonb not null default '{}', add column seen_until timestamptz;
create index approvals_drift on approvals (key) where drift is not null;
"""

DOWN = """
drop index approvals_drift;
alter table sources drop column traffic, drop column seen_until;
alter table sync_runs drop column traffic;
"""


def upgrade() -> None:
    script(UP)


def downgrade() -> None:
    script(DOWN)
