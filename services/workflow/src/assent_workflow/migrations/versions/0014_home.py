"""Note which database this is, so that one put in its place is noticed."""

from assent_common import schema
from assent_common.migrations import script

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    script(schema.V2)


def downgrade() -> None:
    script(schema.V2_DOWN)
