"""A record is one by its key alone: the ARN is the key as it was spelled.

`insert … on conflict (key)` waits for another's row by the key only. A second unique index is checked after it, so two
who insert the same new row at once could find one of them refused.
"""

from assent_common.migrations import script

revision = "0011"
down_revision = "0010"

UP = "alter table records drop constraint records_urn_key;"
DOWN = "alter table records add constraint records_urn_key unique (urn);"


def upgrade() -> None:
    script(UP)


def downgrade() -> None:
    script(DOWN)
