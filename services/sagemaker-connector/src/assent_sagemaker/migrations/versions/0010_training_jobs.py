"""The training jobs that made the versions: each is read once, however many versions it made."""

from assent_common.migrations import script

revision = "0010"
down_revision = "0009"

UP = """
create table training_jobs (
    -- The ARN in lower case.
    key      text    primary key,
    arn      text    not null,
    source   text    not null,
    document json,
    -- Why it could not be read the last time.
    reason   text,
    attempts integer not null default 0,
    -- When to read it, or to try again; none once nothing of it changes any more.
    due_at   timestamptz
);
create index training_jobs_due on training_jobs (due_at) where due_at is not null;

-- The job that made the version, by its key.
alter table records add column training_job text;
create index records_training_job on records (training_job) where live and training_job is not null;
"""

DOWN = """
drop index records_training_job;
alter table records drop column training_job;
drop table training_jobs;
"""


def upgrade() -> None:
    script(UP)


def downgrade() -> None:
    script(DOWN)
