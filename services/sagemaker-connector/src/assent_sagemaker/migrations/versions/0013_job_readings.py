"""Each source that names a training job has its own reading of it: it reads the job itself, or takes what another read.

`training_jobs` stays for the processes of the release before, which run beside this one for a while.
"""

from assent_common.migrations import script

revision = "0013"
down_revision = "0012"

UP = """
create table job_readings (
    -- The job's ARN in lower case.
    key      text    not null,
    source   text    not null,
    arn      text    not null,
    document json,
    -- Why it could not be read the last time.
    reason   text,
    attempts integer not null default 0,
    -- When to read it, or to try again; none once nothing of it changes any more.
    due_at   timestamptz,
    primary key (key, source)
);
create index job_readings_due on job_readings (due_at) where due_at is not null;
insert into job_readings (key, source, arn, document, reason, attempts, due_at)
select key, source, arn, document, reason, attempts, due_at from training_jobs;
"""

DOWN = "drop table job_readings;"


def upgrade() -> None:
    script(UP)


def downgrade() -> None:
    script(DOWN)
