"""Sides and order: fixed by the seed, different for each person, and balanced."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from app.blind.order import mark, turns

SEED = "a1" * 32


@given(st.integers(1, 10_000), st.sets(st.integers(1, 1000), min_size=1, max_size=60))
def test_everyone_sees_each_pair_once_and_a_on_the_left_in_half(person: int, positions: set[int]) -> None:
    found = turns(SEED, person, positions)
    assert sorted(turn.position for turn in found) == sorted(positions)
    assert [turn.number for turn in found] == list(range(1, len(positions) + 1))
    left = sum(turn.a_left for turn in found)
    assert abs(2 * left - len(positions)) <= 1
    assert found == turns(SEED, person, sorted(positions, reverse=True))


def test_sides_and_orders_differ_between_people_and_seeds() -> None:
    plans = {tuple((turn.position, turn.a_left) for turn in turns(SEED, person, range(12))) for person in range(200)}
    assert len(plans) == 200
    assert turns(SEED, 1, range(12)) != turns("b2" * 32, 1, range(12))


def test_no_position_and_no_turn_has_a_side_of_its_own() -> None:
    """Over 400 people, A is left at each position and at each turn about as often as not."""
    by_position: Counter[int] = Counter()
    by_turn: Counter[int] = Counter()
    for person in range(400):
        for turn in turns(SEED, person, range(9)):
            by_position[turn.position] += turn.a_left
            by_turn[turn.number] += turn.a_left
    assert all(150 < number < 250 for number in (*by_position.values(), *by_turn.values()))
    assert len(by_position) == len(by_turn) == 9


def test_marks_differ_by_person_turn_and_side_and_all_look_alike() -> None:
    marks = {mark(SEED, person, number, side) for person in (1, 2) for number in (1, 2) for side in ("left", "right")}
    assert len(marks) == 8
    assert {len(each) for each in marks} == {64}
