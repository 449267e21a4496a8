"""Readings that go on where they stopped, look round over the polls, and see what others share."""

from assent_common.migrations import script

revision = "0003"
down_revision = "0002"

UP = """
-- From where the run goes on, should its process end before it does.
alter table sync_runs add column progress jsonb not null default '{}';

-- The account that it reads, as far as that is known; and where its polls have got to in looking round.
alter table sources add column account text, add column rounds jsonb not null default '{}';

-- Since when the listings lack it.
alter table records add column missing_since timestamptz;
create index records_missing on records (source) where live and missed_listings > 1;

-- Who else sees what the source in `records` owns: groups may be shared among accounts.
create table views (
    key             text    not null,
    source          text    not null,
    missed_listings integer not null default 0,
    primary key (key, source)
);
create index views_source on views (source);
"""

DOWN = """
drop table views;
drop index records_missing;
alter table records drop column missing_since;
alter table sources drop column account, drop column rounds;
alter table sync_runs drop column progress;
"""


def upgrade() -> None:
    script(UP)


def downgrade() -> None:
    script(DOWN)
