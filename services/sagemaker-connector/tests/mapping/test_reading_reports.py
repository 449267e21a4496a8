"""Whatever the bytes, reading ends in metrics or in a reason."""

import gzip
import hashlib
import json
import random

import pytest
from assent_sagemaker.mapping.metrics import read as reading
from assent_sagemaker.mapping.metrics.read import Reading, Unreadable, read
from hypothesis import given
from hypothesis import strategies as st

PLAIN = b'{"accuracy": 0.9}'


def accuracy(body: bytes) -> float | None:
    result = read(body, "application/json")
    assert isinstance(result, Reading), result
    return result.metrics["accuracy"].value if "accuracy" in result.metrics else None


@pytest.mark.parametrize(
    "body",
    [
        PLAIN,
        b"\xef\xbb\xbf" + PLAIN,
        gzip.compress(PLAIN, mtime=0),
        PLAIN.decode().encode("utf-16"),
        PLAIN.decode().encode("utf-16-le"),
        PLAIN.decode().encode("utf-32"),
        b'{"accuracy": 0.9, "note": "\xe9t\xe9 in Latin-1"}',
        b'{"accuracy": 0.9, "note": "\\ud800 \\u0000 \x01"}',
        b'{"accuracy": 0.9, "auc": NaN, "loss": -Infinity, "mse": 1e999, "mae": ' + b"9" * 5000 + b"}",
        b'{"accuracy": 0.1, "accuracy": 0.9}',
    ],
)
def test_a_number_is_found_in_any_dress(body: bytes) -> None:
    assert accuracy(body) == 0.9


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"<html>Access denied</html>", "not JSON"),
        (PLAIN[:-1], "not JSON"),
        (gzip.compress(PLAIN, mtime=0)[:-9], "truncated gzip"),
        (b"\x1f\x8b" + b"junk" * 9, "damaged gzip"),
        (b"[" * 100_000, "nested too deep"),
        (b"[" * 100 + b"]" * 100, "nested deeper"),
        (b"42", "a bare int"),
        (PLAIN + b"\n" + PLAIN, "not JSON"),
    ],
)
def test_what_cannot_be_read_says_why(body: bytes, reason: str) -> None:
    result = read(body, "text/csv")
    assert isinstance(result, Unreadable), result
    assert reason in result.reason
    assert "text/csv" in result.reason


def test_a_bomb_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_BYTES", 1024 * 1024)
    for body in (b" " * (1024 * 1024 + 1), gzip.compress(b" " * (1024 * 1024 + 1), mtime=0)):
        result = read(body)
        assert isinstance(result, Unreadable)
        assert "larger than 1 MB" in result.reason


def test_the_digest_is_of_the_bytes_as_stored() -> None:
    body = gzip.compress(PLAIN, mtime=0)
    result = read(body)
    assert isinstance(result, Reading)
    assert result.digest == "sha256:" + hashlib.sha256(body).hexdigest()


def test_a_report_of_thousands_of_numbers_keeps_the_canonical_ones() -> None:
    result = read(json.dumps({"zzz": {f"n{n}": n for n in range(5000)}, "auc": 0.5}).encode())
    assert isinstance(result, Reading)
    assert len(result.metrics) == reading.MAX_METRICS
    assert "auc" in result.metrics


KEYS = ["accuracy", "Accuracy", "acc", "test_acc", "train_acc", "precision", "metrics", "regression_metrics", "version"]
KEYS += ["post_training_bias_metrics", "facets", "value", "standard_deviation", "dataset", "name", "config", "type"]

# Without what reading removes: two keys that differ by nothing else would become one.
text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=6)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            text | st.sampled_from([*KEYS, "macro avg"]), inner | st.just("evidently:metric_v2:Accuracy"), max_size=5
        )
    ),
    max_leaves=25,
)


@given(st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
def test_reading_never_raises_and_never_invents_what_is_not_finite(body: bytes) -> None:
    result = read(body)
    if isinstance(result, Reading):
        assert Reading.model_validate_json(result.model_dump_json()) == result
        assert all(abs(metric.value) < float("inf") for metric in result.metrics.values())


@given(st.dictionaries(text | st.sampled_from(KEYS), json_values), st.randoms())
def test_the_order_of_keys_does_not_matter(report: dict[str, object], chance: random.Random) -> None:
    keys = list(report)
    chance.shuffle(keys)
    one, other = (read(json.dumps(document).encode()) for document in (report, {key: report[key] for key in keys}))
    assert isinstance(one, Reading)
    assert isinstance(other, Reading)
    assert (one.metrics, one.problem_kind) == (other.metrics, other.problem_kind)
