"""Timers: what happens because it is time, as rows."""

from assent_common.migrations import script

revision = "0002"
down_revision = "0001"

UP = """
create table timers (
    id        uuid        not null unique,
    -- The task, candidacy or finding that it is of.
    subject   uuid        not null,
    kind      text        not null,
    -- Whose row lock guards it; none for what is of no candidacy.
    candidacy uuid        references candidacies,
    role      text,
    due_at    timestamptz not null,
    -- When it is tried: when it is due, later where that failed.
    fire_at   timestamptz not null,
    fired_at  timestamptz,
    failures  integer     not null default 0,
    failure   text,
    primary key (subject, kind)
);
-- What waits, the next first: a million of them cost a look at the first entry.
create index timers_waiting on timers (fire_at) where fired_at is null;

insert into timers (id, subject, kind, candidacy, due_at, fire_at)
select gen_random_uuid(), id, 'expiry', id, expires_at, expires_at
  from candidacies where status = 'accepted';
insert into timers (id, subject, kind, candidacy, role, due_at, fire_at)
select gen_random_uuid(), id, 'due', candidacy, role, due_at, due_at
  from tasks where status = 'open';

drop index candidacies_expiry;
"""

DOWN = """
create index candidacies_expiry on candidacies (expires_at) where status = 'accepted';
drop table timers;
"""


def upgrade() -> None:
    script(UP)


def downgrade() -> None:
    script(DOWN)
