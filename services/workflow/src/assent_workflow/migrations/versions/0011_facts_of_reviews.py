"""By which facts a review was judged, so that another policy can be tried on them."""

from assent_common.migrations import script

revision = "0011"
down_revision = "0010"

UP = """
-- As they stood when the review was last written; absent of what was judged before there was this column.
alter table reviews add column facts jsonb;
create index reviews_requested on reviews (requested_at, id);
"""


def upgrade() -> None:
    script(UP)


def downgrade() -> None:
    script("drop index reviews_requested; alter table reviews drop column facts")
