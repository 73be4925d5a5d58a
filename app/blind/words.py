"""The questions of blind tests, and what a result says in a sentence."""

from app.blind.queries import TestStanding
from app.blind.results import BlindResult
from app.languages import N_, ngettext, translated
from app.languages import gettext as _
from app.models import BlindChoice, BlindQuestion, BlindTest, LeftOut

QUESTIONS = {
    BlindQuestion.CLOSER: N_("Which is closer to the reference?"),
    BlindQuestion.USE: N_("Which would you use?"),
}
OWN = N_("Your own question")


def question(test: BlindTest) -> str:
    return test.own_question or translated(QUESTIONS[BlindQuestion(test.question)])


def questions() -> dict[str, str]:
    """What can be asked, by its value in the form."""
    return {each.value: translated(said) for each, said in {**QUESTIONS, BlindQuestion.OWN: OWN}.items()}


def side(key: str, name: str, number: int | None) -> str:
    """A side within a sentence: "the set Autumn"."""
    if key.startswith("set-"):
        return _("the set %(name)s", name=name)
    if key.startswith("campaign-"):
        return _("the campaign %(name)s", name=name)
    return _("version %(number)s of the style %(name)s", name=name, number=number)


def side_a(test: BlindTest) -> str:
    return side(test.a_key, test.a_name, test.a_number)


def side_b(test: BlindTest) -> str:
    return side(test.b_key, test.b_name, test.b_number)


def left_out(why: LeftOut, number: int) -> str:
    """How many pairs are left out, and why."""
    match why:
        case LeftOut.DELETED:
            return ngettext(
                "%(number)s pair is left out because a picture was deleted.",
                "%(number)s pairs are left out because a picture of each was deleted.",
                number,
            )
        case LeftOut.RIGHTS:
            return ngettext(
                "%(number)s pair is left out because its rights were withdrawn or a consent ended.",
                "%(number)s pairs are left out because their rights were withdrawn or a consent ended.",
                number,
            )
        case LeftOut.FLAGGED:
            return ngettext(
                "%(number)s pair is left out because the safety check flagged a picture.",
                "%(number)s pairs are left out because the safety check flagged a picture of each.",
                number,
            )
        case LeftOut.HELD:
            return ngettext(
                "%(number)s pair is left out because a picture was reported and is held back.",
                "%(number)s pairs are left out because a picture of each was reported and is held back.",
                number,
            )
        case LeftOut.LOST:
            return ngettext(
                "%(number)s pair is left out because the server lost the file of a picture.",
                "%(number)s pairs are left out because the server lost the file of a picture of each.",
                number,
            )


def all_left_out(test: BlindTest, standing: TestStanding, *, names: bool) -> list[str]:
    """What is not compared: pairs, and pictures that found no partner. With `names` of the sides."""
    said = [left_out(why, number) for why, number in standing.left_out.items()]
    for key, alone in ((side_a(test), test.a_alone), (side_b(test), test.b_alone)):
        if alone and names:
            said.append(
                ngettext(
                    "%(number)s picture of %(side)s has no partner.",
                    "%(number)s pictures of %(side)s have no partner.",
                    alone,
                    side=key,
                )
            )
    return said


def verdict(test: BlindTest, result: BlindResult) -> str:
    """The result in one sentence, for people who read no statistics."""
    if not result.decided:
        return _("Nobody saw a difference: all judgements are ties.")
    if result.winner is BlindChoice.TIE:
        return _(
            "No difference was found: %(a)s and %(b)s were preferred equally often.", a=side_a(test), b=side_b(test)
        )
    name = side_a(test) if result.winner is BlindChoice.A else side_b(test)
    named = {"name": name, "won": result.most, "all": result.decided}
    if result.significant:
        return _(
            "People prefer %(name)s: they chose it %(won)s of %(all)s times, more often than chance explains.", **named
        )
    return _(
        "No clear preference: %(name)s was chosen %(won)s of %(all)s times, which chance alone could explain.", **named
    )


def numbers(result: BlindResult) -> str:
    """The interval and the p-value, in a sentence."""
    if not result.decided:
        return ""
    low, high = result.interval
    return _(
        "Preferred in %(share)s %% of judgements; 95 %% interval %(low)s to %(high)s %%; p = %(p)s.",
        share=round(100 * result.most / result.decided),
        low=round(100 * low),
        high=round(100 * high),
        p=p_words(result.p),
    )


def p_words(p: float) -> str:
    """ "0.021"; "less than 0.001"."""
    return _("less than 0.001") if p < 0.001 else f"{p:.3f}"
