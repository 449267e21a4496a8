"""What is kept of a text, and what is asked of it."""

import pytest
from assent_catalog import search
from assent_catalog.search import sought


@pytest.mark.parametrize(
    "part", ["churnxgb2", "churn-v3", "xgb", "gb2", "boost", "credit", "v3", "3", "growth", "änder"]
)
def test_a_name_is_found_by_its_parts_and_by_the_beginnings_of_its_endings(part: str) -> None:
    kept = search.indexed(["churnxgb2", "CreditXGBoost_churn-v3", "überGänder"], "Team: growth-7", None).split()
    assert len(kept) == len(set(kept))
    for word in search.words(part):
        whole = word.isdecimal()
        assert any(each == word if whole else each.startswith(word) for each in kept), (word, kept)


def test_what_is_no_name_is_found_by_its_words_alone() -> None:
    assert search.indexed([], "arn:aws:sagemaker/churn_7", "A good-one") == "arn aws sagemaker churn 7 a good one"


def test_the_endings_of_a_digest_are_not_kept() -> None:
    assert len(search.indexed(["a" * 64]).split()) == 1
    assert len(search.indexed(["1234567890"]).split()) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("churn-xgb v2", "churn:* & xgb:* & v2:*"),
        ("team 7", "team:* & 7"),
        ("12345678", "12345678:*"),
        ("&|!:*'", None),
        (None, None),
    ],
)
def test_a_short_number_is_meant_as_it_is_and_all_else_as_a_beginning(text: str | None, expected: str | None) -> None:
    assert search.query(text) == expected


def test_rare_words_are_looked_for_and_common_ones_held_against_what_is_found() -> None:
    common = {"teams": 0.9, "7": 0.02, "xgboost": 0.1}
    assert sought(["team", "churn"], common)[:3] == ("churn:*", "team:*", False)
    assert sought(["team", "7"], common)[:3] == ("team:* & 7", None, True)
    assert sought(["churn", "77"], common)[:3] == ("churn:* & 77", None, False)


def test_of_a_common_word_only_what_narrows_is_looked_for_by_its_first_letters() -> None:
    common = {"team": 0.9, "xgboost": 0.1, "7": 0.02, "grün": 0.1, "v2": 0.1}
    for word, marks in (("team", ()), ("xgb", ("xgb",)), ("xg", ()), ("7", ()), ("grün", ()), ("v2", ())):
        found = sought(["churn", word], common)
        assert found.beside is not None
        assert found.marks == marks, word
