"""Notifications, whom they reach, and by which rules."""

from assent_common.migrations import script

revision = "0015"
down_revision = "0014"

UP = """
-- Where people and roles are reached, and what they want.
create table contacts (
    id      uuid        primary key,
    -- `person`, `role`.
    kind    text        not null,
    name    text        not null,
    emails  text[]      not null,
    -- At the most so often: `hourly`, `daily`; as the rules say, where null.
    gathers text,
    muted   boolean     not null default false,
    told_by text        not null,
    told_at timestamptz not null,
    unique (kind, name)
);

-- Written once, never edited: the last one counts.
create table notification_rules (
    version    integer     primary key,
    text       text        not null,
    created_by text        not null,
    created_at timestamptz not null
);

create table notifications (
    id           uuid        primary key,
    -- Of what, by which channel and to which address: made once.
    once         text        not null unique,
    -- `mail`, `slack`.
    channel      text        not null,
    -- An e-mail address, or a channel of the chat.
    address      text        not null,
    -- `person:ada`, `role:legal`, or the channel.
    recipient    text        not null,
    kind         text        not null,
    about        uuid        not null,
    -- What one conversation is about: its candidacy, or itself.
    thread       uuid        not null,
    subject      text        not null,
    text         text        not null,
    link         text,
    -- Of one that gathers others: what it says of each, under headings.
    sections     jsonb       not null default '[]',
    -- The one that it is gathered in.
    digest       uuid,
    -- `held` (gathered), `waiting`, `delivered`, `failed`, `told` (in its digest), `moot` (seen to before that).
    status       text        not null,
    attempts     integer     not null default 0,
    next_try_at  timestamptz not null,
    last_status  integer,
    last_error   text,
    created_at   timestamptz not null,
    delivered_at timestamptz
);
create index notifications_waiting on notifications (channel, next_try_at) where status = 'waiting';
create index notifications_ended on notifications (created_at) where status <> 'waiting';
create index notifications_held on notifications (digest) where status = 'held';
create index notifications_log on notifications (created_at desc, id desc);
create index notifications_about on notifications (about, id);
create index notifications_address on notifications (channel, address);

-- What was last told of an entity: its next event is seen from there.
create table notification_states (
    subject uuid primary key,
    state   text not null
);
insert into notification_states select id, status || '|' || coalesce(assignee, '') from tasks;
insert into notification_states select id, status || '|' from reviews;
insert into notification_states select id, status || '|' || coalesce(expires_at::text, '') from candidacies;
insert into notification_states select id, status || '|' || coalesce(owner, '') from findings;

-- Up to where events were seen.
create table notification_cursor (position bigint not null);
insert into notification_cursor select value from outbox_position;
"""

DOWN = """
delete from timers where kind = 'digest';
drop table notification_cursor, notification_states, notifications, notification_rules, contacts;
"""


def upgrade() -> None:
    script(UP)


def downgrade() -> None:
    script(DOWN)
