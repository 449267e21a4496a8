"""The tables of every service."""

import os

from assent_common import schema
from assent_common.migrations import script

revision = "0001"
down_revision = None


def upgrade() -> None:
    script(schema.V1 + schema.V2)
    if seconds := os.environ.get("ASSENT_TESTS_MIGRATION_SLEEPS_S"):
        script(f"select pg_sleep({float(seconds)})")


def downgrade() -> None:
    script(schema.V2_DOWN + schema.V1_DOWN)
