"""Objects that an event said to look at."""

from assent_common.migrations import script

revision = "0005"
down_revision = "0004"

UP = """
create table hints (
    source      text        not null,
    kind        text        not null,
    -- The object as the event names it; of what could not be read, the digest of the message.
    ref         text        not null,
    -- How many messages named it, and after how many of them it was last looked at.
    told        bigint      not null,
    seen        bigint      not null default 0,
    attempts    integer     not null default 0,
    received_at timestamptz not null,
    due_at      timestamptz not null,
    failed_at   timestamptz,
    reason      text,
    -- The message, where it could not be read.
    body        text,
    primary key (source, kind, ref)
);
create index hints_due on hints (source, due_at) where failed_at is null;
create index hints_failed on hints (failed_at) where failed_at is not null;
"""
DOWN = "drop table hints;"


def upgrade() -> None:
    script(UP)


def downgrade() -> None:
    script(DOWN)
