"""What part of the data a metric is of, which way it gets better, why it could not be read; and monitors as records.

Metrics that are there already get the new columns when their version changes, or by `assent catalog rebuild`.
"""

from assent_common.migrations import script

revision = "0005"
down_revision = "0004"

UP = """
alter table metrics add column slice text, add column better text, add column unreadable_because text;

-- A schedule over an endpoint watches each of its deployments.
create table monitors (
    urn                   text        not null,
    deployment            text        not null,
    source                text        not null,
    name                  text        not null,
    type                  text,
    status                text,
    last_execution_status text,
    last_execution_at     timestamptz,
    record                jsonb       not null,
    primary key (urn, deployment)
);
create index monitors_deployment on monitors (deployment);

insert into monitors (urn, deployment, source, name, type, status, last_execution_status, last_execution_at, record)
select m->>'urn', d.urn, d.source, m->>'name', m->>'type', m->>'status', m->>'last_execution_status',
       (m->>'last_execution_at')::timestamptz, m
  from deployments d, jsonb_array_elements(coalesce(d.record->'monitors', '[]')) m
 where d.live
on conflict do nothing;
"""
DOWN = """
drop table monitors;
alter table metrics drop column slice, drop column better, drop column unreadable_because;
"""


def upgrade() -> None:
    script(UP)


def downgrade() -> None:
    script(DOWN)
