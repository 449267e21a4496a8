"""What is said of each version's approval, there and here; and what is written back of it."""

from assent_common.migrations import script

revision = "0006"
down_revision = "0005"

UP = """
alter table candidacies
    add column review             uuid,
    -- Of the version that it is for: another one under the same ARN is another version.
    add column version_created_at timestamptz;

alter table write_backs
    -- By which every service knows the version.
    add column id        uuid unique,
    -- What its customer metadata is to say: `assent:status` and `assent:use-cases`.
    add column status    text,
    add column use_cases text,
    -- Whether it puts a drift back.
    add column restores  boolean     not null default false,
    -- What was left out, though the rest was done.
    add column note      text,
    -- Of the source's settings that decide whether it can be done, as they were when it failed.
    add column settings  text,
    -- A drift that is put back need not have a decision.
    alter column candidacy drop not null,
    alter column use_case  drop not null;
drop index write_backs_pending;
create index write_backs_due on write_backs (next_attempt_at) where state in ('pending', 'failed');

create table approvals (
    key         text        primary key,
    -- Of the version that was seen last, so that another one under its ARN begins anew; null until one was seen.
    created_at  timestamptz,
    modified_at timestamptz,
    -- What SageMaker said when it was read last.
    found       text,
    -- What it said last that was right: at first, by a decision, or by our own hand.
    standing    text,
    -- What the decisions ask for.
    wanted      text,
    -- What is being written, or was when the writer was cut off.
    writing     text,
    drift       jsonb,
    -- Something changed that is not told, or not answered, yet; `turn` grows with each such change.
    due         boolean     not null default false,
    turn        bigint      not null default 0,
    -- By which settings of its source the drift was answered.
    answered    text,
    restores    integer     not null default 0,
    restored_at timestamptz
);
create index approvals_due on approvals (key) where due;
create index approvals_writing on approvals (key) where writing is not null;

-- Which sources were read whole, by which globs, and the newest change that was there by the source's own clock.
create table watches (
    source text        primary key,
    scope  text        not null,
    newest timestamptz
);
"""

DOWN = """
drop table watches, approvals;
drop index write_backs_due;
create index write_backs_pending on write_backs (next_attempt_at) where state = 'pending';
delete from write_backs where candidacy is null;
alter table write_backs
    drop column id, drop column status, drop column use_cases, drop column restores, drop column note,
    drop column settings,
    alter column candidacy set not null, alter column use_case set not null;
alter table candidacies drop column review, drop column version_created_at;
"""


def upgrade() -> None:
    script(UP)


def downgrade() -> None:
    script(DOWN)
