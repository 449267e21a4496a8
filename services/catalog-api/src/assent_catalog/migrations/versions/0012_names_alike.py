"""Find names that are like what was typed, where Postgres offers pg_trgm and lets us have it.

Where it does not, nothing is missing but that: docs/how-to/search-the-catalogue.md says how to have it later.
"""

from assent_common.migrations import script

revision = "0012"
down_revision = "0011"

UP = """
do $$ begin
    if exists (select from pg_available_extensions where name = 'pg_trgm') then
        create extension if not exists pg_trgm;
        create index use_cases_alike on use_cases using gin (name gin_trgm_ops);
        create index models_alike on models using gin (name gin_trgm_ops);
    end if;
exception
    when insufficient_privilege or undefined_object then
        raise notice 'no names that are alike: %', sqlerrm;
end $$;
"""
# The extension stays: others may use it by now.
DOWN = """
drop index if exists use_cases_alike, models_alike;
"""


def upgrade() -> None:
    script(UP)


def downgrade() -> None:
    script(DOWN)
