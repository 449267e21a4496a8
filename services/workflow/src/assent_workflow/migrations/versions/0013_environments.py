"""Where an acceptance holds, for policies that say so."""

from assent_common.migrations import script

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    # Null is everywhere.
    script("alter table candidacies add column environments text[]")


def downgrade() -> None:
    script("alter table candidacies drop column environments")
