"""Candidacies, reviews, tasks and policies; what is known of use cases and model versions."""

from assent_common import census, schema
from assent_common.migrations import script

revision = "0001"
down_revision = None

UP = """
-- What the catalogue last said of a use case.
create table use_cases (
    id           uuid   primary key,
    key          text   not null unique,
    name         text   not null,
    stage        text   not null,
    facets       jsonb  not null,
    completeness jsonb  not null,
    sequence     bigint not null
);

-- What the registry last said of a model version.
create table model_versions (
    urn          text        primary key,
    id           uuid        not null unique,
    source       text        not null,
    live         boolean     not null,
    created_at   timestamptz not null,
    content_hash text        not null,
    content      jsonb       not null,
    record       jsonb       not null,
    traceparent  text,
    sequence     bigint      not null
);
create index model_versions_source on model_versions (source) where live;

-- What the registry last said of everything else, as far as counting needs it.
create table other_entities (
    urn      text    primary key,
    source   text    not null,
    kind     text    not null,
    live     boolean not null,
    sequence bigint  not null
);
create index other_entities_source on other_entities (source, kind) where live;

create table policies (
    name       text        not null,
    version    integer     not null,
    text       text        not null,
    created_by text        not null,
    created_at timestamptz not null,
    primary key (name, version)
);

create table candidacies (
    id                    uuid        primary key,
    use_case_id           uuid        not null,
    use_case              text        not null,
    model_version         text        not null,
    -- When the source made the version: another one under the same urn is another version.
    version_created_at    timestamptz not null,
    status                text        not null,
    reason                text,
    content_hash          text,
    review                uuid,
    policy                text,
    put_forward_by        text        not null,
    put_forward_by_issuer text        not null,
    created_at            timestamptz not null,
    changed_by            text        not null,
    changed_at            timestamptz not null,
    expires_at            timestamptz,
    sequence              bigint      not null
);
-- One model version stands for one use case once; what has ended may be put forward anew.
create unique index candidacies_standing on candidacies (use_case_id, model_version)
    where status not in ('retired', 'withdrawn');
create index candidacies_model_version on candidacies (model_version);
create index candidacies_use_case on candidacies (use_case, id desc);
create index candidacies_expiry on candidacies (expires_at) where status = 'accepted';

create table reviews (
    id           uuid        primary key,
    candidacy    uuid        not null references candidacies,
    policy       text        not null,
    content_hash text        not null,
    -- What is judged, part by part: a later content is compared with it.
    content      jsonb       not null,
    status       text        not null,
    checks       jsonb       not null,
    requested_by text        not null,
    requested_at timestamptz not null,
    ended_at     timestamptz,
    sequence     bigint      not null
);
create index reviews_candidacy on reviews (candidacy, id desc);

create table tasks (
    id                uuid        primary key,
    review            uuid        not null references reviews,
    candidacy         uuid        not null references candidacies,
    stage             text        not null,
    role              text        not null,
    status            text        not null,
    opened_at         timestamptz not null,
    due_at            timestamptz not null,
    decided_by        text,
    decided_by_issuer text,
    decided_at        timestamptz,
    comment           text,
    dismissed         text,
    sequence          bigint      not null
);
create index tasks_review on tasks (review);
create index tasks_candidacy on tasks (candidacy, id);
-- The inbox: what is open for a role, the most urgent first.
create index tasks_open on tasks (role, due_at, id) where status = 'open';
"""

DOWN = """
drop table tasks, reviews, candidacies, policies, other_entities, model_versions, use_cases;
"""


def upgrade() -> None:
    for statements in (schema.V1, census.TABLE_V1, UP):
        script(statements)


def downgrade() -> None:
    for statements in (DOWN, census.TABLE_V1_DOWN, schema.V1_DOWN):
        script(statements)
