"""What a use case is connected with."""

from assent_common.migrations import script

revision = "0003"
down_revision = "0002"

UP = "alter table use_cases add column links jsonb not null default '[]'"
DOWN = "alter table use_cases drop column links"


def upgrade() -> None:
    script(UP)


def downgrade() -> None:
    script(DOWN)
