"""What the gate was asked, and what it finds versions by besides their names."""

from assent_common.migrations import script

revision = "0003"
down_revision = "0002"

UP = """
create table gate_questions (
    -- UUIDv7: in the order of time.
    id              uuid        primary key,
    asked_at        timestamptz not null,
    asked_by        text        not null,
    asked_by_issuer text        not null,
    model_version   text,
    artifact_digest text,
    image           text,
    use_case        text,
    environment     text,
    allow           boolean     not null,
    reasons         text[]      not null,
    -- The model version that decided.
    decided_by      text,
    candidacy       uuid,
    correlation_id  text        not null
);
create index gate_questions_version on gate_questions (decided_by, id desc);

create index model_versions_artifacts on model_versions using gin ((record->'artifacts') jsonb_path_ops);
create index model_versions_image on model_versions ((record->>'image'), urn) where live;
create index model_versions_image_digest on model_versions ((record->>'image_digest'), urn) where live;
"""

DOWN = """
drop index model_versions_artifacts, model_versions_image, model_versions_image_digest;
drop table gate_questions;
"""


def upgrade() -> None:
    script(UP)


def downgrade() -> None:
    script(DOWN)
