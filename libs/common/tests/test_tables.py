"""Settings, topics and problems are tables: each line complete."""

import pytest
from assent_common.http.problems import Problem
from assent_common.kafka import topics
from assent_common.settings import Settings
from pydantic import ValidationError


def test_every_setting_says_what_it_is_for() -> None:
    assert len(Settings.model_fields) > 20
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_a_wrong_setting_is_named_and_its_value_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSENT_DATABASE_URL", "mysql://root:swordfish@host/db")
    with pytest.raises(ValidationError) as refused:
        Settings()
    assert "database_url" in str(refused.value)
    assert "swordfish" not in str(refused.value)


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSENT_DATABASE_URL", "postgres://root:swordfish@host/db")
    monkeypatch.setenv("ASSENT_SERVICE_TOKEN", "swordfish")
    assert "swordfish" not in repr(Settings())
    assert Settings().database_url.get_secret_value() == "postgresql+asyncpg://root:swordfish@host/db"


def test_topics_keep_the_last_state_and_know_their_readers() -> None:
    states = [topic for topic in topics.ALL if topic is not topics.AUDIT]
    assert [topic.name for topic in states] == ["assent.registry.v1", "assent.catalog.v1", "assent.governance.v1"]
    assert all(topic.compacted and topic.readers for topic in states)
    letters = topics.dead_letters_of(topics.CATALOG_API)
    assert (letters.name, letters.compacted) == ("assent.catalog-api.dlq.v1", False)


def test_nothing_takes_a_witness_away() -> None:
    assert (topics.AUDIT.name, topics.AUDIT.compacted, topics.AUDIT.for_ever) == ("assent.audit.v1", False, True)


def test_every_problem_has_a_type_of_its_own_and_a_title() -> None:
    kinds = [kind for base in Problem.__subclasses__() for kind in (base, *base.__subclasses__())]
    assert len(kinds) > 10
    assert len({kind.type for kind in kinds}) == len(kinds)
    assert all(kind.__doc__ and 400 <= kind.status < 600 for kind in kinds)
