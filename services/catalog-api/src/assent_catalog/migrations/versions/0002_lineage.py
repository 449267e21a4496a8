"""Datasets, and what came of what: data, training jobs, model versions, deployments, use cases."""

from assent_common.migrations import script

revision = "0002"
down_revision = "0001"

UP = """
create table datasets (
    id  uuid primary key,
    urn text not null unique
);

-- From what something came to what it led. `owner` is the record that says so: what it said before is replaced by it.
create table lineage_edges (
    owner     text not null,
    from_kind text not null,
    from_urn  text not null,
    to_kind   text not null,
    to_urn    text not null,
    relation  text not null,
    primary key (owner, from_urn, to_urn, relation)
);
create index lineage_edges_from on lineage_edges (from_urn);
create index lineage_edges_to on lineage_edges (to_urn);

-- A deployment serves the use cases that its model version was accepted for.
create view lineage as
select from_kind, from_urn, to_kind, to_urn, relation from lineage_edges
union all
select s.to_kind, s.to_urn, c.to_kind, c.to_urn, 'serves'
  from lineage_edges s join lineage_edges c on c.from_urn = s.from_urn and c.from_kind = s.from_kind
 where s.relation = 'deployed' and c.relation = 'accepted';

alter table deployments add column record jsonb not null default '{}';

insert into lineage_edges (owner, from_kind, from_urn, to_kind, to_urn, relation)
select urn, 'training_job', record->>'training_job', 'model_version', urn, 'trained'
  from model_versions where record->>'training_job' is not null
union all
select urn, 'model_version', model_version, 'deployment', urn, 'deployed'
  from deployments where live and model_version is not null
union all
select id::text, 'model_version', model_version, 'use_case', use_case, status
  from candidacies where status not in ('withdrawn', 'rejected', 'retired');
"""

DOWN = """
alter table deployments drop column record;
drop view lineage;
drop table lineage_edges, datasets;
"""


def upgrade() -> None:
    script(UP)


def downgrade() -> None:
    script(DOWN)
