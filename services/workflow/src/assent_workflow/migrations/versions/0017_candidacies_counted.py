"""How many candidacies there are of each status is counted once a minute: from an index, not from the table."""

from assent_common.migrations import script

revision = "0017"
down_revision = "0016"

UP = """
create index candidacies_status on candidacies (status) where step_to is null;
"""
DOWN = """
drop index candidacies_status;
"""


def upgrade() -> None:
    script(UP)


def downgrade() -> None:
    script(DOWN)
