"""Use cases, and what the registries hold: models, versions, metrics, deployments, candidacies, with their history."""

from assent_common import census, schema
from assent_common.migrations import script

revision = "0001"
down_revision = None

UP = """
create table use_cases (
    id               uuid        primary key,
    key              text        not null unique,
    name             text        not null,
    description      text        ,
    owner            text        ,
    stage            text        not null,
    facets           jsonb       not null,
    created_at       timestamptz not null,
    created_by       text        not null,
    modified_at      timestamptz not null,
    modified_by      text        not null,
    search           tsvector    not null,
    -- Grows when somebody changes it: what `If-Match` names.
    sequence         bigint      not null,
    -- What follows from the facets and the candidacies, and the sequence of the events, which tell of that, too.
    has_models       boolean     not null default false,
    complete         boolean     not null default false,
    changed_sequence bigint      not null default 1
);
create index use_cases_search on use_cases using gin (search);
create index use_cases_stage on use_cases (stage, id);

-- Every state that a use case ever had.
create table use_case_history (
    use_case uuid        not null references use_cases,
    sequence bigint      not null,
    at       timestamptz not null,
    by       text        not null,
    state    jsonb       not null,
    primary key (use_case, sequence)
);

-- The last removal of what was ever removed: an older state of it that comes late does not bring it to life.
create table removals (
    urn      text   primary key,
    sequence bigint not null
);

create table models (
    id         uuid        primary key,
    urn        text        not null unique,
    source     text        not null,
    name       text        not null,
    live       boolean     not null,
    created_at timestamptz not null,
    record     jsonb       not null,
    raw        jsonb,
    sequence   bigint      not null
);
create index models_list on models (name, id);
create index models_source on models (source) where live;

create table model_versions (
    id                     uuid        primary key,
    urn                    text        not null unique,
    source                 text        not null,
    model                  text,
    model_id               uuid,
    name                   text        not null,
    version                integer,
    description            text,
    type                   text,
    framework              text,
    algorithm              text,
    source_status          text        not null,
    source_approval_status text,
    metrics_status         text        not null,
    content_hash           text        not null,
    created_at             timestamptz not null,
    modified_at            timestamptz,
    live                   boolean     not null,
    -- What the registry says, but for the source's own document.
    record                 jsonb       not null,
    raw                    jsonb,
    search                 tsvector    not null,
    -- The registry's sequence of this state.
    sequence               bigint      not null,
    -- What follows from the candidacies: use case → status, and the strongest of them.
    status                 text        not null default 'registered',
    candidacies            jsonb       not null default '{}',
    -- This service's own sequence: grows with whatever changes in the record or the status.
    changed_sequence       bigint      not null default 0,
    changed_at             timestamptz not null
);
create index model_versions_created on model_versions (created_at desc, id desc);
create index model_versions_modified on model_versions (coalesce(modified_at, created_at) desc, id desc);
create index model_versions_name on model_versions (left(name, 100), coalesce(version, 0), id);
create index model_versions_version on model_versions (coalesce(version, 0), id);
create index model_versions_model on model_versions (model_id, coalesce(version, 0), id);
create index model_versions_use_case on model_versions using gin (candidacies);
create index model_versions_source on model_versions (source) where live;
create index model_versions_status on model_versions (status, created_at desc, id desc);
create index model_versions_search on model_versions using gin (search);

create table metrics (
    model_version      uuid   not null references model_versions on delete cascade,
    name               text   not null,
    value              float8 not null,
    standard_deviation float8,
    dataset            text,
    kind               text   not null,
    source_name        text,
    report             text,
    primary key (model_version, name)
);
create index metrics_value on metrics (name, value);

-- Every state of a version that its registry told of.
create table model_version_history (
    urn      text        not null,
    sequence bigint      not null,
    at       timestamptz not null,
    state    jsonb,
    primary key (urn, sequence)
);

create table deployments (
    id            uuid        primary key,
    urn           text        not null unique,
    source        text        not null,
    kind          text        not null,
    name          text        not null,
    variant       text,
    model_version text,
    status        text,
    live          boolean     not null,
    created_at    timestamptz not null,
    modified_at   timestamptz,
    raw           jsonb,
    sequence      bigint      not null
);
create index deployments_model_version on deployments (model_version) where live;
create index deployments_source on deployments (source) where live;

-- What the workflow last said of each candidacy, and everything that it said.
create table candidacies (
    id                 uuid        primary key,
    use_case           text        not null,
    model_version      text        not null,
    -- When the source made the version that was put forward: another one under the same urn is another version.
    version_created_at timestamptz,
    status             text        not null,
    record             jsonb       not null,
    changed_at         timestamptz not null,
    sequence           bigint      not null
);
create index candidacies_model_version on candidacies (model_version);
create index candidacies_use_case on candidacies (use_case, id);
create table candidacy_history (
    candidacy     uuid        not null,
    sequence      bigint      not null,
    model_version text        not null,
    at            timestamptz not null,
    record        jsonb       not null,
    primary key (candidacy, sequence)
);
create index candidacy_history_model_version on candidacy_history (model_version, at);
"""

DOWN = """
drop table candidacy_history, candidacies, deployments, model_version_history, metrics, model_versions, models,
           removals, use_case_history, use_cases;
"""


def upgrade() -> None:
    for statements in (schema.V1, census.TABLE_V1, UP):
        script(statements)


def downgrade() -> None:
    for statements in (DOWN, census.TABLE_V1_DOWN, schema.V1_DOWN):
        script(statements)
