"""What others tell of is one by one key alone: a version by its urn, of which its id is made; a use case by its id.

`insert … on conflict` waits for another's row by the key that it names only. A second unique index is checked beside
it, so two who insert the same new row at once could find one of them refused. The catalogue sees to it that no two use
cases have one key. Writing waits while the indexes are built.
"""

from assent_common.migrations import script

revision = "0012"
down_revision = "0011"

UP = """
create index model_versions_id on model_versions (id);
alter table model_versions drop constraint model_versions_id_key;
create index use_cases_key on use_cases (key);
alter table use_cases drop constraint use_cases_key_key;
"""
DOWN = """
alter table use_cases add constraint use_cases_key_key unique (key);
drop index use_cases_key;
alter table model_versions add constraint model_versions_id_key unique (id);
drop index model_versions_id;
"""


def upgrade() -> None:
    script(UP)


def downgrade() -> None:
    script(DOWN)
