"""Webhooks, and what is delivered to them."""

from assent_common.migrations import script

revision = "0006"
down_revision = "0005"

UP = """
create table webhooks (
    id              uuid        primary key,
    url             text        not null,
    types           text[]      not null,
    description     text        not null,
    enabled         boolean     not null,
    disabled_reason text,
    -- Sealed with the operator's key.
    secret          bytea       not null,
    old_secret      bytea,
    old_until       timestamptz,
    created_by      text        not null,
    created_at      timestamptz not null,
    sequence        bigint      not null
);

create table webhook_deliveries (
    id           uuid        primary key,
    webhook      uuid        not null references webhooks on delete cascade,
    -- The event's in the outbox; none for a ping.
    position     bigint,
    type         text        not null,
    body         bytea       not null,
    status       text        not null,
    attempts     integer     not null,
    next_try_at  timestamptz not null,
    last_status  integer,
    last_error   text,
    created_at   timestamptz not null,
    delivered_at timestamptz,
    unique (webhook, position)
);
create index webhook_deliveries_waiting on webhook_deliveries (next_try_at) where status = 'waiting';
create index webhook_deliveries_ended on webhook_deliveries (created_at) where status <> 'waiting';
create index webhook_deliveries_log on webhook_deliveries (webhook, id desc);

-- Up to where deliveries were written.
create table webhook_cursor (position bigint not null);
insert into webhook_cursor select value from outbox_position;
"""

DOWN = "drop table webhook_cursor, webhook_deliveries, webhooks;"


def upgrade() -> None:
    script(UP)


def downgrade() -> None:
    script(DOWN)
