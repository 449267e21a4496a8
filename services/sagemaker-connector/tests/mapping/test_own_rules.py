"""A company's own rules, laid over ours."""

import re
from pathlib import Path

import pytest
from assent_sagemaker.mapping import rules
from assent_sagemaker.mapping.metrics.names import known_name
from assent_sagemaker.mapping.rules import MappingInvalid

OWN = """
metrics:
  names:
    accuracy: [trefferquote]
    hit_rate: [recall_score]
frameworks:
  words:
    in_house: [Acme ML]
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(rules, "_used", [])
    return tmp_path / "mapping.yaml"


def test_a_companys_words_come_before_ours_and_take_their_meaning(own: Path) -> None:
    assert (known_name("trefferquote"), known_name("recall_score")) == (None, "recall")
    own.write_text(OWN)
    rules.use(rules.load(own))
    assert (known_name("trefferquote"), known_name("recall_score")) == ("accuracy", "hit_rate")
    assert (known_name("accuracy_score"), known_name("sensitivity")) == ("accuracy", "recall")
    assert rules.rules().frameworks.words["acmeml"] == "in_house"
    assert rules.rules().frameworks.words["xgboost"] == "xgboost"


def test_other_rules_are_known_by_their_digest_and_travel_as_text(own: Path) -> None:
    own.write_text(OWN)
    theirs = rules.load(own)
    assert theirs.digest != rules.ours().digest
    assert rules.of(theirs.text).digest == theirs.digest == rules.load(own).digest


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("- accuracy", "sections are expected"),
        ("metrics: [", "not YAML"),
        ("metrics: {naems: {}}", "metrics.naems"),
        ("metrics: {better: {upwards: [accuracy]}}", "metrics.better.upwards"),
        ("images: [{repository: '('}]", "images[0].repository"),
    ],
)
def test_a_mistake_is_said_with_its_place(own: Path, text: str, fault: str) -> None:
    own.write_text(text)
    with pytest.raises(MappingInvalid, match=re.escape(f"{own}: ")) as said:
        rules.load(own)
    assert fault in str(said.value)


def test_a_file_that_is_not_there_is_said(own: Path) -> None:
    with pytest.raises(MappingInvalid, match="No such file"):
        rules.load(own)
