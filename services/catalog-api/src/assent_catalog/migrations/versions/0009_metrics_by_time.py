"""Keep with a metric when its version was made, so that the newest of a range are read in the order of an index.

The table is filled anew rather than updated: writing waits meanwhile (seven seconds for a million metrics), reading for
the moment at its end alone. A process of before does not know the column: a trigger fills it.
"""

from assent_common.migrations import script

revision = "0009"
down_revision = "0008"

UP = """
-- In the order in which a batch takes them.
lock table model_versions, metrics in share mode;
create table metrics_made (
    model_version      uuid        not null,
    name               text        not null,
    value              float8      not null,
    standard_deviation float8,
    dataset            text,
    kind               text        not null,
    source_name        text,
    report             text,
    slice              text,
    better             text,
    unreadable_because text,
    created_at         timestamptz not null
);
insert into metrics_made
select m.model_version, m.name, m.value, m.standard_deviation, m.dataset, m.kind, m.source_name, m.report, m.slice,
       m.better, m.unreadable_because, v.created_at
  from metrics m join model_versions v on v.id = m.model_version;
alter table metrics_made add constraint metrics_made_pkey primary key (model_version, name);
create index metrics_made_value on metrics_made (name, value, model_version);
create index metrics_created on metrics_made (name, created_at desc, model_version desc) include (value);
alter table metrics_made add constraint metrics_made_model_version_fkey
    foreign key (model_version) references model_versions on delete cascade;
analyze metrics_made;
-- Readers wait from here on.
drop table metrics;
alter table metrics_made rename to metrics;
alter table metrics rename constraint metrics_made_pkey to metrics_pkey;
alter table metrics rename constraint metrics_made_model_version_fkey to metrics_model_version_fkey;
alter index metrics_made_value rename to metrics_value;

create function metrics_are_as_old_as_their_version() returns trigger language plpgsql as $$
begin
    select created_at into new.created_at from model_versions where id = new.model_version;
    return new;
end $$;
create trigger metrics_created before insert on metrics
    for each row when (new.created_at is null) execute function metrics_are_as_old_as_their_version();
"""
DOWN = """
lock table model_versions in share mode;
drop trigger metrics_created on metrics;
drop function metrics_are_as_old_as_their_version;
alter table metrics drop column created_at;
drop index metrics_value;
create index metrics_value on metrics (name, value);
"""


def upgrade() -> None:
    script(UP)


def downgrade() -> None:
    script(DOWN)
