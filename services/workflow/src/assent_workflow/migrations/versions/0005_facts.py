"""What was decided and what ended lately, for the facts."""

from assent_common.migrations import script

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    script(
        """
        create index tasks_decided on tasks (decided_at) where decided_at is not null;
        create index reviews_ended on reviews (ended_at) where ended_at is not null;
        """
    )


def downgrade() -> None:
    script("drop index tasks_decided, reviews_ended")
