"""Who has a task, of which group, and what is known of people; the inbox by due time, person and model."""

from assent_common.migrations import script

revision = "0009"
down_revision = "0008"

UP = """
alter table identities
    add column roles  text[] not null default '{}',
    add column groups text[] not null default '{}';
create index identities_person on identities (issuer, subject);

alter table tasks add column asked_group text;
create index tasks_due on tasks (due_at, id);
create index tasks_given on tasks (assignee, due_at, id) where assignee is not null;

create index model_versions_model on model_versions ((record ->> 'model'));
create index model_versions_name on model_versions ((record ->> 'name'));
"""

DOWN = """
drop index model_versions_name, model_versions_model, tasks_given, tasks_due, identities_person;
alter table tasks drop column asked_group;
alter table identities drop column roles, drop column groups;
"""


def upgrade() -> None:
    script(UP)


def downgrade() -> None:
    script(DOWN)
