"""Use cases go through reviews: a step is judged as a candidacy is, without a model version."""

from assent_common.migrations import script

revision = "0016"
down_revision = "0015"

UP = """
alter table candidacies alter column model_version drop not null;
alter table candidacies alter column version_created_at drop not null;
-- Of a step: the stage that it leads to.
alter table candidacies add column step_to text;
-- When it was accepted first. Not known of what was accepted before, and asked of steps alone.
alter table candidacies add column accepted_at timestamptz;
-- Nobody looks through what is there: all of it has a version, which was demanded, and no stage, which is new.
alter table candidacies add constraint candidacies_about
    check ((model_version is null) = (step_to is not null)) not valid;
create index candidacies_steps on candidacies (use_case_id, id) where step_to is not null;
create index candidacies_steps_listed on candidacies (id) where step_to is not null;

-- Claimed apart from the others, for what guards them is another row.
alter table timers add column step boolean not null default false;
create index timers_steps on timers (fire_at) where step and fired_at is null;

-- What was heard before lacks these until the use case changes.
alter table use_cases add column links jsonb not null default '[]';
alter table use_cases add column proposal jsonb;

-- One row: to which stages use cases go by a review.
create table reviewed_stages (
    stages   text[] not null,
    sequence bigint not null
);
insert into reviewed_stages values ('{}', 0);
"""
# What is judged of use cases is not known to what comes before.
DOWN = """
drop table reviewed_stages;
alter table use_cases drop column proposal, drop column links;
create temporary table gone on commit drop as select id from candidacies where step_to is not null;
delete from timers where candidacy in (select id from gone);
delete from external_checks where candidacy in (select id from gone);
delete from evidence where review in (select id from reviews where candidacy in (select id from gone));
delete from comments where review in (select id from reviews where candidacy in (select id from gone));
delete from tasks where candidacy in (select id from gone);
delete from reviews where candidacy in (select id from gone);
delete from candidacies where id in (select id from gone);
delete from timers
 where subject in (select id from findings where subject_kind = 'use_case' union select id from use_cases);
delete from findings where subject_kind = 'use_case';
drop index candidacies_steps, candidacies_steps_listed, timers_steps;
alter table timers drop column step;
alter table candidacies drop constraint candidacies_about;
alter table candidacies drop column step_to, drop column accepted_at;
alter table candidacies alter column version_created_at set not null;
alter table candidacies alter column model_version set not null;
"""


def upgrade() -> None:
    script(UP)


def downgrade() -> None:
    script(DOWN)
