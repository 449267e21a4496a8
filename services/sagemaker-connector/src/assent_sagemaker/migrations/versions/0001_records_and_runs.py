"""What each source was seen to hold, the runs that read it, and what is to be written back."""

from assent_common import schema
from assent_common.migrations import script

revision = "0001"
down_revision = None

UP = """
create table sources (
    name           text        primary key,
    -- How it is read, and why so.
    plan           text,
    plan_reason    text,
    -- What could not be read the last time, in words.
    notes          jsonb       not null default '[]',
    -- The newest change seen, by the source's own clock; and when that last moved, by ours.
    watermark      timestamptz,
    watermark_at   timestamptz,
    last_synced_at timestamptz,
    last_full_at   timestamptz,
    last_error     text,
    last_error_at  timestamptz,
    next_poll_at   timestamptz,
    -- Of its `sync.completed` events.
    sequence       bigint      not null default 0
);

create table records (
    -- The ARN without regard to case: SageMaker spells one resource now so, now so.
    key              text        primary key,
    urn              text        not null unique,
    source           text        not null,
    kind             text        not null,
    -- The key of its model.
    model            text,
    -- Digest of what was emitted last.
    hash             text        not null,
    document         json        not null,
    document_hash    text        not null,
    -- Digest of its summary in the listing, where it was described.
    summary_hash     text,
    -- What an acceptance of it is bound to, where it is a version.
    content_hash     text,
    tags             json        not null,
    -- Where its artifacts lie.
    artifacts        jsonb       not null,
    -- Its reports by URI: the last good reading, and why it could not be read again.
    reports          json        not null,
    reports_attempts integer     not null,
    reports_due_at   timestamptz,
    sequence         bigint      not null,
    live             boolean     not null,
    missed_listings  integer     not null default 0,
    created_at       timestamptz not null,
    modified_at      timestamptz,
    changed_at       timestamptz not null
);
create index records_source on records (source, kind) where live;
create index records_model on records (model, key) where live;
create index records_reports_due on records (source, reports_due_at) where live and reports_due_at is not null;

create table sync_runs (
    id             uuid        primary key,
    source         text        not null,
    mode           text        not null,
    cause          text        not null,
    status         text        not null,
    requested_by   text,
    requested_at   timestamptz not null,
    started_at     timestamptz,
    finished_at    timestamptz,
    plan           text,
    phase          text,
    counts         jsonb       not null default '{}',
    error          text,
    correlation_id text        not null,
    traceparent    text
);
create index sync_runs_list on sync_runs (requested_at desc, id desc);
create index sync_runs_open on sync_runs (source, requested_at) where status in ('requested', 'running');

-- What the workflow last said of each candidacy.
create table candidacies (
    id            uuid        primary key,
    key           text        not null,
    urn           text        not null,
    use_case      text        not null,
    status        text        not null,
    reason        text,
    content_hash  text,
    changed_by    text        not null,
    changed_at    timestamptz not null,
    accepted_once boolean     not null,
    sequence      bigint      not null
);
create index candidacies_key on candidacies (key);

create table write_backs (
    key             text        primary key,
    urn             text        not null,
    candidacy       uuid        not null,
    use_case        text        not null,
    desired         text        not null,
    description     text        not null,
    content_hash    text,
    -- Grows with each new desire: what was begun for an older one ends without effect.
    revision        bigint      not null,
    state           text        not null,
    attempts        integer     not null,
    next_attempt_at timestamptz not null,
    last_error      text,
    requested_at    timestamptz not null,
    finished_at     timestamptz,
    correlation_id  text        not null,
    traceparent     text
);
create index write_backs_pending on write_backs (next_attempt_at) where state = 'pending';
create index write_backs_list on write_backs (requested_at desc, key desc);
"""

DOWN = """
drop table write_backs, candidacies, sync_runs, records, sources;
"""


def upgrade() -> None:
    for statements in (schema.V1, UP):
        script(statements)


def downgrade() -> None:
    for statements in (DOWN, schema.V1_DOWN):
        script(statements)
