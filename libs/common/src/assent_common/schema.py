"""The tables that every service's database has, by version. A service's migration executes one; none is ever edited."""

V1 = """
create table outbox (
    id           bigint generated always as identity primary key,
    topic        text        not null,
    key          text        not null,
    range        smallint    not null,
    scope        text,
    sequence     bigint      not null,
    body         bytea       not null,
    created_at   timestamptz not null default now(),
    published_at timestamptz,
    position     bigint unique,
    replayed     boolean     not null default false
);
-- What the relay takes: by state, in order.
create index outbox_unpublished on outbox (id) where published_at is null;
-- The last row of an entity: replay and pruning.
create index outbox_entity on outbox (topic, key, id);

-- Positions are given when an event is published, without gaps and in the order of commits.
create table outbox_position (value bigint not null);
insert into outbox_position values (0);

-- What the broker acknowledged: where its log ends before that, it lost something.
create table outbox_acknowledged (
    topic     text    not null,
    partition integer not null,
    "offset"  bigint  not null,
    primary key (topic, partition)
);

create table leases (
    duty       text        not null,
    shard      smallint    not null,
    holder     uuid        not null,
    fence      bigint      not null,
    expires_at timestamptz not null,
    primary key (duty, shard)
);

create table audit (
    id             bigint generated always as identity primary key,
    at             timestamptz not null,
    actor          text        not null,
    action         text        not null,
    subject        text        not null,
    details        jsonb       not null,
    correlation_id text        not null,
    seq            bigint unique,
    previous       text unique,
    hash           text unique
);
create index audit_unsealed on audit (id) where seq is null;
create index audit_subject on audit (subject, id);

create function audit_is_append_only() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' and old.seq is null
       and (old.id, old.at, old.actor, old.action, old.subject, old.details, old.correlation_id)
         = (new.id, new.at, new.actor, new.action, new.subject, new.details, new.correlation_id) then
        return new;  -- the sealer chains a record once
    end if;
    raise exception 'audit records are never changed or deleted' using errcode = 'restrict_violation';
end $$;
create trigger audit_append_only before update or delete on audit
    for each row execute function audit_is_append_only();
create trigger audit_never_truncated before truncate on audit
    for each statement execute function audit_is_append_only();

create table idempotency_keys (
    principal  text        not null,
    key        text        not null,
    request    text        not null,
    status     smallint    not null,
    headers    jsonb       not null,
    body       bytea       not null,
    created_at timestamptz not null default now(),
    primary key (principal, key)
);
create index idempotency_keys_age on idempotency_keys (created_at);
"""

V1_DOWN = """
drop table outbox, outbox_position, outbox_acknowledged, leases, audit, idempotency_keys;
drop function audit_is_append_only();
"""

V2 = """
-- Which database this is, as Postgres tells: another one after a restore, a failover or a move.
create table home (only_row boolean primary key default true check (only_row), address text);
insert into home (address) values (null);
"""

V2_DOWN = "drop table home;"

TABLES = frozenset(
    {
        *("outbox", "outbox_position", "outbox_acknowledged", "leases", "audit", "idempotency_keys", "source_census"),
        "home",
    }
)
