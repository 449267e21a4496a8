"""Quorums, substitutes, identities and overrides."""

from assent_common.migrations import script

revision = "0007"
down_revision = "0006"

UP = """
alter table tasks
    add column seat                integer not null default 1,
    add column on_behalf_of        text,
    add column on_behalf_of_issuer text,
    add column assignee            text,
    add column kept_from           uuid;

alter table candidacies add column overridden_by text;

-- Of a model, who made it.
alter table other_entities add column created_by text;

-- Which person a name elsewhere stands for: an AWS principal, or what a use case's facet says. Null for no person.
create table identities (
    id         uuid        primary key,
    name       text        not null unique,
    issuer     text,
    subject    text,
    told_by    text        not null,
    told_at    timestamptz not null,
    check ((issuer is null) = (subject is null))
);

-- Who stands in for whom. Nothing is deleted: a decision names it.
create table delegations (
    id                uuid        primary key,
    role              text        not null,
    delegator         text        not null,
    delegator_issuer  text        not null,
    substitute        text        not null,
    substitute_issuer text        not null,
    begins_at         timestamptz not null,
    ends_at           timestamptz not null,
    reason            text        not null,
    revoked_at        timestamptz
);
create index delegations_substitute on delegations (substitute, ends_at);
"""

DOWN = """
drop table delegations, identities;
alter table other_entities drop column created_by;
alter table candidacies drop column overridden_by;
alter table tasks
    drop column seat, drop column on_behalf_of, drop column on_behalf_of_issuer, drop column assignee,
    drop column kept_from;
"""


def upgrade() -> None:
    script(UP)


def downgrade() -> None:
    script(DOWN)
