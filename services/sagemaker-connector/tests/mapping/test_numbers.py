import pytest
from assent_sagemaker.mapping.metrics.numbers import number


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (0.0, 0.0),
        (0, 0.0),
        ("0", 0.0),
        (1, 1.0),
        ("93.4%", 0.934),
        ("100 %", 1.0),
        ("0,91", 0.91),
        ("-0,5", -0.5),
        (" 4.6e-66 ", 4.6e-66),
    ],
)
def test_a_number_is_read_however_it_is_written(written: object, value: float) -> None:
    assert number(written) == value


@pytest.mark.parametrize(
    "written",
    [None, True, "NaN", "Infinity", float("nan"), float("-inf"), "1e999", "", "n/a", "1,234", "0x10", [], {}, "9" * 99],
)
def test_what_is_no_number_is_none_and_never_zero(written: object) -> None:
    assert number(written) is None
