"""What is derived from a version's record: its metrics, and what it came of. Of rows `v` with the record."""

METRICS = """
insert into metrics (model_version, name, value, standard_deviation, dataset, slice, kind, source_name, report, better,
                     unreadable_because, created_at)
select v.id, m.key, (m.value->>'value')::float8, (m.value->>'standard_deviation')::float8, m.value->>'dataset',
       m.value->>'slice', coalesce(m.value->>'kind', 'measured'), m.value->>'source_name', m.value->>'report',
       m.value->>'better',
       case when v.metrics_status <> 'complete' then (
           select coalesce(r->>'reason', 'not read yet') from jsonb_array_elements(v.record->'reports') r
            where r->>'uri' = m.value->>'report' and r->>'status' <> 'complete' limit 1) end,
       v.created_at
  from {versions} v, jsonb_each(v.record->'metrics') m
"""
# Data goes through the training job where there is one; what a version was measured against goes to the version.
EDGES = """
insert into lineage_edges (owner, from_kind, from_urn, to_kind, to_urn, relation)
select v.urn, 'training_job', j.job, 'model_version', v.urn, 'trained'
  from {versions} v, lateral (select coalesce(v.record->'training'->>'urn', v.record->>'training_job') as job) j
 where j.job is not null
union
select v.urn, 'dataset', d->>'urn',
       case when j.job is not null and d->>'role' in ('training', 'validation') then 'training_job'
            else 'model_version' end,
       case when j.job is not null and d->>'role' in ('training', 'validation') then j.job else v.urn end, d->>'role'
  from {versions} v, lateral (select coalesce(v.record->'training'->>'urn', v.record->>'training_job') as job) j,
       jsonb_array_elements(case when jsonb_typeof(v.record->'datasets') = 'array' then v.record->'datasets'
                                 else '[]' end) d
"""
_WRITTEN = "(select id, urn, metrics_status, record, created_at from model_versions where id = any($1::uuid[]))"
FORGET_METRICS = "delete from metrics where model_version = any($1::uuid[])"
FORGET_EDGES = "delete from lineage_edges where owner in (select urn from model_versions where id = any($1::uuid[]))"
#: For versions that had some before. Their rows are written and locked.
REPLACE = (FORGET_METRICS, METRICS.format(versions=_WRITTEN), FORGET_EDGES, EDGES.format(versions=_WRITTEN))
