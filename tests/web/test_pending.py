"""State between two requests of a browser, in memory that nobody can fill."""

from app.web.pending import Pending


def test_a_browser_keeps_its_newest_entries_and_takes_none_of_others() -> None:
    kept: Pending[str] = Pending(most_of_one=2)
    for key in ("a", "b", "c"):
        kept.keep(key, "mine", key)
    kept.keep("other", "yours", "other")
    assert [kept.look(key, "mine") for key in ("a", "b", "c")] == [None, "b", "c"]
    assert kept.look("other", "mine") is None
    assert kept.take("other", "yours") == "other"
    assert kept.kept("c", "mine", "new") == "c"
    assert kept.kept("c", "yours", "theirs") == "theirs"
    kept.keep("c", "mine", "c")
    kept.keep("b", "mine", "again")
    assert (kept.look("b", "mine"), kept.look("c", "mine")) == ("again", "c")
