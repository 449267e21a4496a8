"""Who is next: fair among thousands, and no one kept waiting by those that take long."""

from datetime import UTC, datetime, timedelta

from assent_sagemaker.scheduling.agenda import Agenda

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def taken(agenda: Agenda, now: datetime = NOON) -> list[str]:
    """Everything that begins now."""
    names = []
    while (name := agenda.take(now)) is not None:
        names.append(name)
    return names


def of(**due_in_s: int) -> Agenda:
    agenda = Agenda(at_once=100)
    for name, seconds in due_in_s.items():
        agenda.put(name, NOON + seconds * SECOND, is_long=False)
    return agenda


def test_who_is_due_for_longest_goes_first_and_who_is_not_due_waits() -> None:
    agenda = of(late=-5, latest=-9, now=0, soon=5)
    assert taken(agenda) == ["latest", "late", "now"]
    assert agenda.next_due() == NOON + 5 * SECOND
    assert taken(agenda, NOON + 5 * SECOND) == ["soon"]


def test_so_many_at_once_and_the_next_when_one_is_done() -> None:
    agenda = Agenda(at_once=2)
    for name in "abc":
        agenda.put(name, NOON, is_long=False)
    assert taken(agenda) == ["a", "b"]
    agenda.done("a", NOON, is_long=False)
    assert taken(agenda) == ["c"], "who has just had a turn goes to the end"
    agenda.done("b", NOON + SECOND, is_long=False)
    assert taken(agenda) == ["a"]


def test_long_turns_leave_room_for_short_ones() -> None:
    agenda = Agenda(at_once=4)
    for n in range(10):
        agenda.put(f"long-{n}", NOON - SECOND, is_long=True)
    assert taken(agenda) == ["long-0", "long-1", "long-2"]
    agenda.put("poll", NOON, is_long=False)
    assert taken(agenda) == ["poll"]
    agenda.done("long-0", NOON + SECOND, is_long=False)
    assert taken(agenda) == ["long-3"]


def test_even_one_at_a_time_everything_gets_its_turn() -> None:
    agenda = Agenda(at_once=1)
    agenda.put("long", NOON, is_long=True)
    assert taken(agenda) == ["long"]


def test_what_somebody_wants_goes_first_whatever_the_time() -> None:
    agenda = of(due=-60, wanted=3600)
    agenda.want("wanted")
    agenda.want("wanted")
    agenda.want("somebody else's")
    assert taken(agenda) == ["wanted", "due"]


def test_what_is_wanted_during_its_turn_gets_another_one() -> None:
    agenda = of(source=0)
    assert taken(agenda) == ["source"]
    agenda.want("source")
    assert taken(agenda) == []
    agenda.done("source", NOON + timedelta(hours=1), is_long=False)
    assert taken(agenda) == ["source"]
    agenda.done("source", NOON + timedelta(hours=1), is_long=False)
    assert taken(agenda) == []


def test_the_last_word_on_when_it_is_due_counts() -> None:
    agenda = of(source=0)
    agenda.put("source", NOON + SECOND, is_long=True)
    assert taken(agenda) == []
    assert taken(agenda, NOON + SECOND) == ["source"]
    assert taken(agenda, NOON + SECOND) == []


def test_who_is_dropped_has_no_turn_and_gives_its_room_back() -> None:
    agenda = Agenda(at_once=1)
    agenda.put("a", NOON, is_long=True)
    agenda.put("b", NOON, is_long=True)
    assert taken(agenda) == ["a"]
    agenda.drop("a")
    assert taken(agenda) == ["b"]
    agenda.done("a", NOON, is_long=False)
    assert "a" not in agenda
    agenda.drop("b")
    assert taken(agenda) == []
    assert agenda.next_due() is None


def test_of_thousands_each_has_one_turn_before_any_has_two() -> None:
    agenda = Agenda(at_once=8)
    names = [f"s-{n}" for n in range(5000)]
    for name in names:
        agenda.put(name, NOON, is_long=False)
    order: list[str] = []
    while len(order) < len(names):
        turn = taken(agenda)
        assert turn
        order += turn
        for name in turn:
            agenda.done(name, NOON + SECOND, is_long=False)
    assert sorted(order) == sorted(names)
