"""Files of use cases, as people make them."""

import re

import pytest
from assent_catalog.use_cases.rows import FileInvalid, Row, from_csv, from_json


def test_a_column_for_each_field_and_nothing_said_where_a_cell_is_empty() -> None:
    file = (
        "\ufeffkey,name,legal.risk_class,legal.annex_iii,impact.severity,owner\r\n"
        'retention,"Retention, of customers",high,5(b); 4(a),3,\r\n'
        "churn,Churn,,,,Bea\r\n"
    )
    assert from_csv(file.encode()) == [
        Row(
            2,
            {
                "key": "retention",
                "name": "Retention, of customers",
                "facets": {"legal": {"risk_class": "high", "annex_iii": ["5(b)", "4(a)"]}, "impact": {"severity": "3"}},
            },
        ),
        Row(3, {"key": "churn", "name": "Churn", "owner": "Bea"}),
    ]


def test_what_the_export_made_harmless_is_what_it_was() -> None:
    rows = from_csv(b"key,name,description\nretention,'=1+1,'quoted'\n")
    assert rows[0].document == {"key": "retention", "name": "=1+1", "description": "'quoted'"}


def test_a_facet_may_be_one_cell_of_json() -> None:
    rows = from_csv(b'key,legal,custom.region\nretention,"{""risk_class"": ""high""}",EMEA\n')
    assert rows[0].document["facets"] == {"legal": {"risk_class": "high"}, "custom": {"region": "EMEA"}}


@pytest.mark.parametrize(
    ("file", "why"),
    [
        (b"", "no column 'key'"),
        (b"name\nx\n", "no column 'key'"),
        (b"key,colour\nx,red\n", "unknown column 'colour'"),
        (b"key,legal.colour\nx,red\n", "unknown column 'legal.colour'"),
        (b"key,name\nx\n", "row 2 has 1 cells"),
        (b'key,legal\nx,"{oops"\n', "row 2, column 'legal': not JSON"),
        (b"key,name\nx,\xff\n", "not UTF-8"),
        (b"key,name\nx,a\0b\n", "U+0000"),
        (b"key\n" + b"x\n" * 1001, "at most 1000 rows"),
    ],
)
def test_what_is_no_such_file_is_refused_with_its_place(file: bytes, why: str) -> None:
    with pytest.raises(FileInvalid, match=re.escape(why)):
        from_csv(file)


def test_json_comes_as_an_array_or_line_by_line() -> None:
    one = [Row(1, {"key": "a", "name": "A"}), Row(2, {"key": "b", "name": "B"})]
    assert from_json(b'[{"key":"a","name":"A","stage":"ideation"},{"key":"b","name":"B"}]') == one
    assert from_json(b'{"key":"a","name":"A"}\n\n{"key":"b","name":"B"}\n') == one
    for broken in (b"[1]", b"{", b'{"key": NaN}'):
        with pytest.raises(FileInvalid):
            from_json(broken)
