"""`check`: nothing is found in whole data, and every kind of damage is."""

from random import Random

import pytest

from app.upkeep.check import check
from app.upkeep.repair import repair
from app.upkeep.tables import TRIGGERS
from tests.upkeep.conftest import Data
from tests.upkeep.damage import DAMAGES, Damage


def test_nothing_is_wrong_with_whole_data(data: Data) -> None:
    assert check(data.database, data.files) == []


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.name)
def test_damage_is_found_and_mended_as_promised(data: Data, damage: Damage) -> None:
    damage.do(data, Random(damage.name))
    found = check(data.database, data.files)
    assert {each.area for each in found if each.repairable == damage.repaired} >= {damage.area}, found
    list(repair(data.database, data.files, found))
    after = check(data.database, data.files)
    assert after == [] if damage.repaired else {each.area for each in after} >= {damage.area}


def test_triggers_are_as_the_migrations_make_them(data: Data) -> None:
    with data.database.engine.connect() as connection:
        made = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    assert {name: sql.split() for name, sql in made} == {name: sql.split() for name, sql in TRIGGERS.items()}
