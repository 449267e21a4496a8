"""A digest is the same however it is spelled; what nobody can tell is no."""

import pytest
from assent_workflow.gate.names import Question, image_digest, mismatches, plain

HEX = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
KNOWN = {
    "artifacts": [{"digest": f"sha256:{HEX}"}, {"digest": None}],
    "image": "registry/xgboost:1.7",
    "image_digest": None,
    "images": {"0": {"Image": "registry/xgboost:1.7"}, "1": {"ImageDigest": "sha256:abc"}},
}


@pytest.mark.parametrize("spelling", [HEX, f"sha256:{HEX}", HEX.upper(), f'"{HEX}"', f" SHA256:{HEX} "])
def test_one_digest_has_many_spellings(spelling: str) -> None:
    assert plain(spelling) == HEX
    assert list(mismatches(Question(artifact_digest=spelling), KNOWN)) == []


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        (Question(artifact_digest="sha256:00000000"), "is not the one that was judged"),
        (Question(image="registry/xgboost:1.8"), "is not the one that was judged"),
        (Question(image="registry/xgboost@sha256:def"), "is not the one that was judged (sha256:abc)"),
    ],
)
def test_another_artifact_or_image_is_told(question: Question, expected: str) -> None:
    (said,) = mismatches(question, KNOWN)
    assert expected in said


def test_what_nobody_knows_a_digest_of_cannot_be_told() -> None:
    (said,) = mismatches(Question(artifact_digest=HEX), {"artifacts": [{"digest": None}]})
    assert "nobody can tell" in said
    (said,) = mismatches(Question(image=f"r@sha256:{HEX}"), {"image": "r:1"})
    assert "no digest of it is known here" in said


@pytest.mark.parametrize("image", ["registry/xgboost:1.7", "other/xgboost@sha256:ABC", "sha256:abc"])
def test_any_container_of_the_version_may_be_named(image: str) -> None:
    assert list(mismatches(Question(image=image), KNOWN)) == []


def test_a_tag_is_no_digest() -> None:
    assert image_digest("registry/xgboost:1.7") is None
    assert image_digest("registry/xgboost@sha256:AB") == "sha256:ab"
