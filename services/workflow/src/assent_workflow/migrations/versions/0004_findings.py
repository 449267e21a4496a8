"""Findings, and the deployments that they are about."""

from assent_common.migrations import script

revision = "0004"
down_revision = "0003"

UP = """
-- What the registry last said of what serves.
create table deployments (
    urn            text    primary key,
    source         text    not null,
    live           boolean not null,
    kind           text    not null,
    name           text    not null,
    status         text,
    model_versions text[]  not null,
    monitors       jsonb   not null,
    sequence       bigint  not null
);
create index deployments_source on deployments (source) where live;
create index deployments_serving on deployments using gin (model_versions) where live;
-- What is gone stays gone. What lives is not known in full: the census finds it lacking and asks for it.
insert into deployments (urn, source, live, kind, name, model_versions, monitors, sequence)
select urn, source, false, '', '', '{}', '[]', sequence from other_entities where kind = 'deployment' and not live;
delete from other_entities where kind = 'deployment';

-- Who answers for the use case that a model version was last put forward for.
create function accountable(version text) returns text language sql stable as $$
    select left(u.facets->'accountability'->>'business_owner', 200)
      from candidacies c join use_cases u on u.id = c.use_case_id
     where c.model_version = version order by c.id desc limit 1
$$;

create table findings (
    id             uuid        primary key,
    kind           text        not null,
    subject_kind   text        not null,
    subject        text        not null,
    detail         text        not null,
    severity       text        not null,
    status         text        not null,
    summary        text        not null,
    evidence       jsonb       not null,
    owner          text,
    model_version  text,
    due_at         timestamptz not null,
    found_at       timestamptz not null,
    times_found    integer     not null,
    reason         text,
    changed_by     text        not null,
    changed_at     timestamptz not null,
    accepted_until timestamptz,
    resolved_at    timestamptz,
    sequence       bigint      not null,
    -- Found once.
    unique (kind, subject, detail)
);
create index findings_subject on findings (subject);
create index findings_model_version on findings (model_version) where status = 'open';
create index findings_unresolved on findings (due_at, id) where status <> 'resolved';
"""

DOWN = """
delete from timers where candidacy is null;
insert into other_entities (urn, source, kind, live, sequence)
select urn, source, 'deployment', live, sequence from deployments;
drop table findings, deployments;
drop function accountable(text);
"""


def upgrade() -> None:
    script(UP)


def downgrade() -> None:
    script(DOWN)
