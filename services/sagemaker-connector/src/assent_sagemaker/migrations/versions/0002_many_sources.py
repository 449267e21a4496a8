"""Who reads which source, when each is due, and which are not in the file any more."""

from assent_common.migrations import script

revision = "0002"
down_revision = "0001"

UP = """
-- The processes that read sources, each for as long as it says so.
create table readers (
    id         uuid        primary key,
    expires_at timestamptz not null
);

-- Which of them holds each source. It is free when its holder's time is over; the fence grows with each new holder.
create table source_leases (
    source     text   primary key,
    holder     uuid,
    fence      bigint not null default 0,
    -- Since when no process has it among its sources; and what was told of it last since then, as a sum of sequences.
    dropped_at timestamptz,
    told       bigint
);
insert into source_leases (source) select name from sources;
create index source_leases_holder on source_leases (holder);

-- Sources whose holder is to look at once.
create table wakes (source text primary key);

alter table sources
    -- When it is to be read whole again; null: now.
    add column full_due_at timestamptz,
    -- By which settings and release it is read: by others it is read whole again.
    add column read_as     text;
"""

DOWN = """
alter table sources drop column full_due_at, drop column read_as;
drop table wakes, source_leases, readers;
"""


def upgrade() -> None:
    script(UP)


def downgrade() -> None:
    script(DOWN)
