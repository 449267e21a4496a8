"""The tables of the benches stand in a page among words that people wrote."""

from pathlib import Path

import pytest

from tests.bench.report import Row, Table


def test_a_table_is_written_between_its_marks_and_nothing_else_is_touched(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    before, between, after = "# Said\n\n", "\n\nSaid of both: \\1 \\g<0>.\n\n", "\n\nSaid after.\n"
    other = "<!-- bench-other -->\nas it was\n<!-- end of bench-other -->"
    page.write_text(f"{before}<!-- bench-one -->\nold\n<!-- end of bench-one -->{between}{other}{after}")
    table = Table("bench-one", "One")
    table.add(Row(r"what \d", "1.00 s (0.90-1.10)", "2.0 x bare"))
    for _ in range(2):
        table.write(page)
        written = page.read_text()
        assert written.startswith(f"{before}<!-- bench-one -->\nMeasured on ")
        assert written.endswith(
            f"| what \\d | 1.00 s (0.90-1.10) | 2.0 x bare |\n<!-- end of bench-one -->{between}{other}{after}"
        )
    assert "old" not in written
    with pytest.raises(ValueError, match="no place for bench-two"):
        Table("bench-two", "Two").write(page)
    assert page.read_text() == written


def test_every_bench_that_make_runs_has_its_place_in_the_page() -> None:
    makefile, page = Path("Makefile").read_text(), Path("docs/performance.md").read_text()
    (line,) = [line for line in makefile.splitlines() if line.startswith("BENCHES := ")]
    benches = line.removeprefix("BENCHES := ").split()
    assert len(benches) >= 5
    for bench in benches:
        assert page.count(f"<!-- bench-{bench} -->") == page.count(f"<!-- end of bench-{bench} -->") == 1
        assert f'Table("bench-{bench}"' in Path(f"tests/bench/{bench}.py").read_text()
