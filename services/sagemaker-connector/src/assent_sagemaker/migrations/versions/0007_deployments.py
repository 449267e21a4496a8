"""What serves is matched to versions by where their artifacts lie, in whichever source these are."""

from assent_common.migrations import script

revision = "0007"
down_revision = "0006"

UP = "create index records_artifacts on records using gin (artifacts) where live and kind = 'model_version';"
DOWN = "drop index records_artifacts;"


def upgrade() -> None:
    script(UP)


def downgrade() -> None:
    script(DOWN)
