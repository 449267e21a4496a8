"""The reports that are due, of any number of sources, in the order in which they are."""

from assent_common.migrations import script

revision = "0008"
down_revision = "0007"

UP = """
drop index records_reports_due;
create index records_reports_due on records (reports_due_at) where live and reports_due_at is not null;
"""

DOWN = """
drop index records_reports_due;
create index records_reports_due on records (source, reports_due_at) where live and reports_due_at is not null;
"""


def upgrade() -> None:
    script(UP)


def downgrade() -> None:
    script(DOWN)
