"""What is said of a review, and what it rests on."""

from assent_common.migrations import script

revision = "0008"
down_revision = "0007"

UP = """
-- Nothing is changed or deleted: who thinks otherwise later says so.
create table comments (
    id            uuid        primary key,
    review        uuid        not null references reviews,
    task          uuid        references tasks,
    author        text        not null,
    author_issuer text        not null,
    body          text        not null,
    verdict       text,
    added_at      timestamptz not null
);
create index comments_review on comments (review, id);

-- By reference: what is there is kept elsewhere, and known by its digest.
create table evidence (
    id                 uuid        primary key,
    review             uuid        not null references reviews,
    task               uuid        references tasks,
    name               text        not null,
    uri                text        not null,
    sha256             text        not null check (sha256 ~ '^[0-9a-f]{64}$'),
    media_type         text        not null,
    note               text,
    attached_by        text        not null,
    attached_by_issuer text        not null,
    attached_at        timestamptz not null
);
create index evidence_review on evidence (review, id);
"""


def upgrade() -> None:
    script(UP)


def downgrade() -> None:
    script("drop table evidence, comments")
