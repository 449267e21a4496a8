"""Use cases are proposed for a stage, and go there by what is decided of it."""

from assent_common.migrations import script

revision = "0011"
down_revision = "0010"

UP = """
alter table use_cases add column proposal jsonb;
alter table use_cases add column outcome jsonb;

-- One row: to which stages use cases go by a review, as the workflow told it.
create table reviewed_stages (
    stages   text[] not null,
    sequence bigint not null
);
insert into reviewed_stages values ('{}', 0);
"""
DOWN = """
drop table reviewed_stages;
alter table use_cases drop column outcome, drop column proposal;
"""


def upgrade() -> None:
    script(UP)


def downgrade() -> None:
    script(DOWN)
