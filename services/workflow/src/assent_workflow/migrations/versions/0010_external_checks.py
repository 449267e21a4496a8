"""What other systems are asked, and what they answered."""

from assent_common.migrations import script

revision = "0010"
down_revision = "0009"

UP = """
create table external_checks (
    id           uuid             primary key,
    review       uuid             not null references reviews,
    candidacy    uuid             not null references candidacies,
    name         text             not null,
    url          text             not null,
    timeout_s    double precision not null,
    -- What was asked about: another content is another question.
    content_hash text             not null,
    asked_at     timestamptz      not null,
    attempts     integer          not null default 0,
    next_try_at  timestamptz      not null,
    last_status  integer,
    last_error   text,
    passed       boolean,
    reason       text,
    evidence     jsonb,
    digest       text,
    answered_at  timestamptz,
    unique (review, name, content_hash),
    check ((answered_at is null) = (passed is null))
);
create index external_checks_waiting on external_checks (next_try_at) where answered_at is null;
"""


def upgrade() -> None:
    script(UP)


def downgrade() -> None:
    script("drop table external_checks")
