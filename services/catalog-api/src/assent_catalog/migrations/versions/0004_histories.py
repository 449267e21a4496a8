"""Every state of models and deployments, as of model versions already."""

from assent_common.migrations import script

revision = "0004"
down_revision = "0003"

UP = """
create table model_history (
    urn      text        not null,
    sequence bigint      not null,
    at       timestamptz not null,
    state    jsonb,
    primary key (urn, sequence)
);
create table deployment_history (
    urn      text        not null,
    sequence bigint      not null,
    at       timestamptz not null,
    state    jsonb,
    primary key (urn, sequence)
);
create index deployment_history_model_version on deployment_history ((state->>'model_version'));
"""
DOWN = "drop table deployment_history, model_history;"


def upgrade() -> None:
    script(UP)


def downgrade() -> None:
    script(DOWN)
