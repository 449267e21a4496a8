"""What SageMaker's lineage says of the versions whose training job nothing else tells: each is asked about once."""

from assent_common.migrations import script

revision = "0012"
down_revision = "0011"

UP = """
create table lineages (
    -- The version's.
    key      text    primary key,
    urn      text    not null,
    source   text    not null,
    -- Digest of what the answer hangs on.
    question text    not null,
    -- The ARN of the training job that it leads to.
    job      text,
    -- Why it could not be told the last time.
    reason   text,
    attempts integer not null default 0,
    -- When to ask, or to ask again; none once it was answered.
    due_at   timestamptz
);
create index lineages_due on lineages (due_at) where due_at is not null;
"""

DOWN = "drop table lineages;"


def upgrade() -> None:
    script(UP)


def downgrade() -> None:
    script(DOWN)
