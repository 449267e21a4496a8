"""Find the states that named a monitor or a dataset, so that these have a history, too.

Of versions only those that name data are in the index. Writing waits while the indexes are built.
"""

from assent_common.migrations import script

revision = "0010"
down_revision = "0009"

UP = """
create index deployment_history_monitors on deployment_history using gin ((state->'monitors') jsonb_path_ops)
 where state->'monitors' <> '[]';
create index model_version_history_datasets on model_version_history using gin ((state->'datasets') jsonb_path_ops)
 where state->'datasets' <> '[]';
create index use_case_history_datasets on use_case_history using gin ((state->'facets'->'data'->'datasets'));
"""
DOWN = "drop index use_case_history_datasets, model_version_history_datasets, deployment_history_monitors;"


def upgrade() -> None:
    script(UP)


def downgrade() -> None:
    script(DOWN)
