"""Mark in the index of words what a version's words begin with, and when it was made.

Words that many versions have are found beside a rare one by the index alone, and a page of the newest among the newest.
The marks are made by the index itself, so that a process of before, which knows nothing of them, writes them too.
Writing waits while the index is built: 20 seconds for a million versions.
"""

from assent_common.migrations import script

revision = "0008"
down_revision = "0007"

# The first three letters of each word, and the time in three measures (`newest.py`). What it says is in the index: it
# is never changed, another one is made beside it. Its cost keeps it from being asked of row after row.
UP = """
create function search_marks(words tsvector, made_at timestamptz) returns text[]
    language sql immutable parallel safe cost 200
return array(select left(word, 3) from unnest(tsvector_to_array(words)) word
              where word >= ':' collate "C" and length(word) >= 3)
    || case when isfinite(made_at) then array[
           '@0' || (floor(extract(epoch from made_at at time zone 'UTC'))::bigint >> 12),
           '@1' || (floor(extract(epoch from made_at at time zone 'UTC'))::bigint >> 17),
           '@2' || (floor(extract(epoch from made_at at time zone 'UTC'))::bigint >> 22)] end;

create index model_versions_found on model_versions using gin (search, search_marks(search, created_at));
drop index model_versions_search;
"""
DOWN = """
create index model_versions_search on model_versions using gin (search);
drop index model_versions_found;
drop function search_marks;
"""


def upgrade() -> None:
    script(UP)


def downgrade() -> None:
    script(DOWN)
