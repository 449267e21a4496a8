"""Who answers for a version that nobody put forward: who does for another of its model, or whoever made it."""

from assent_common.migrations import script

revision = "0018"
down_revision = "0017"

# Each is asked only where those before name nobody. Index: candidacies_model_version, model_versions_model, the unique
# name of an identity.
UP = """
create or replace function accountable(version text) returns text language sql stable as $$
    select coalesce(
        (select left(u.facets->'accountability'->>'business_owner', 200)
           from candidacies c join use_cases u on u.id = c.use_case_id
          where c.model_version = version order by c.id desc limit 1),
        (select left(u.facets->'accountability'->>'business_owner', 200)
           from model_versions v
           join model_versions o on o.record ->> 'model' = v.record ->> 'model'
           join candidacies c on c.model_version = o.urn
           join use_cases u on u.id = c.use_case_id
          where v.urn = version and u.facets->'accountability'->>'business_owner' is not null
          order by c.id desc limit 1),
        (select left(i.subject, 200)
           from model_versions v join identities i on i.name = v.record ->> 'created_by'
          where v.urn = version))
$$;
"""
DOWN = """
create or replace function accountable(version text) returns text language sql stable as $$
    select left(u.facets->'accountability'->>'business_owner', 200)
      from candidacies c join use_cases u on u.id = c.use_case_id
     where c.model_version = version order by c.id desc limit 1
$$;
"""


def upgrade() -> None:
    script(UP)


def downgrade() -> None:
    script(DOWN)
