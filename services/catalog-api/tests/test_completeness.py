"""What a use case lacks, and what a patch makes of it."""

from typing import Any

import pytest
from assent_catalog.use_cases.facets import Facets
from assent_catalog.use_cases.model import REQUIRED, WHOSE_JOB, completeness, merged
from hypothesis import given
from hypothesis import strategies as st

FULL: dict[str, dict[str, Any]] = {facet: dict.fromkeys(required, "said") for facet, required in REQUIRED.items()}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)
OBJECTS = st.dictionaries(st.text(max_size=3), JSON, max_size=4)


def test_every_facet_that_says_what_it_has_to_is_complete() -> None:
    states = completeness(FULL, has_models=True)
    assert set(states) == set(WHOSE_JOB)
    assert all(state.complete for state in states.values())


@pytest.mark.parametrize(("facet", "field"), [(facet, field) for facet in REQUIRED for field in REQUIRED[facet]])
@pytest.mark.parametrize("empty", [None, "", "  ", []])
def test_each_required_field_is_missed_when_it_is_empty(facet: str, field: str, empty: Any) -> None:
    states = completeness({**FULL, facet: {**FULL[facet], field: empty}}, has_models=True)
    assert (states[facet].complete, states[facet].missing) == (False, [field])
    assert [name for name, state in states.items() if not state.complete] == [facet]


def test_no_is_an_answer() -> None:
    assert completeness({**FULL, "legal": {**FULL["legal"], "personal_data": False}}, has_models=True)["legal"].complete


def test_linked_datasets_stand_in_for_a_description() -> None:
    assert completeness({**FULL, "data": {"datasets": ["s3://churn"]}}, has_models=True)["data"].complete


def test_models_follow_from_candidacies_alone() -> None:
    assert completeness(FULL, has_models=False)["models"].missing == ["candidacy"]


def test_what_is_required_can_be_said() -> None:
    fields = {name: facet.annotation for name, facet in Facets.model_fields.items()}
    assert set(fields) == {*REQUIRED, "custom"}
    for name in REQUIRED:
        model = fields[name]
        assert model is not None
        assert set(REQUIRED[name]) <= set(model.model_fields)


# RFC 7396, appendix A.
@pytest.mark.parametrize(
    ("document", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_a_patch_merges_as_its_standard_says(document: Any, patch: Any, result: Any) -> None:
    assert merged(document, patch) == result


@given(OBJECTS, OBJECTS)
def test_the_same_patch_twice_does_no_more_than_once(document: dict[str, Any], patch: dict[str, Any]) -> None:
    once = merged(document, patch)
    assert merged(once, patch) == once
