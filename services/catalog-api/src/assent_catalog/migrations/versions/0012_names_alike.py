"""Find names that are like what was typed, where Postgres offers pg_trgm and lets us have it.

Where it does not, nothing is missing but that: docs/how-to/search-the-catalogue.md says how to have it later.
"""

from assent_common.migrations import script

revision = "0012"
down_revision = "0011"

# Whatever keeps us from the extension (it is not there, not for us, not on a cloud's list) keeps us from nothing else.
# A fault in building the indexes is one.
UP = """
do $$ begin
    create extension if not exists pg_trgm;
exception when others then
    raise notice 'no names that are alike: %', sqlerrm;
end $$;
do $$ begin
    if exists (select from pg_opclass where opcname = 'gin_trgm_ops' and pg_opclass_is_visible(oid)) then
        create index use_cases_alike on use_cases using gin (name gin_trgm_ops);
        create index models_alike on models using gin (name gin_trgm_ops);
    end if;
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
