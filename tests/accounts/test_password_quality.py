"""Passwords that attackers guess first are refused; long ones that nobody guesses pass, in any script."""

import random
from collections.abc import Iterator

import pytest

from app.accounts import password_quality
from app.accounts.password_quality import SHARED_GUESSES, problem
from tests import clock

KNOWN = ("Mori Haruka", "haruka.mori@kumo-design.com")


@pytest.fixture(autouse=True)
def a_server_with_a_name() -> Iterator[None]:
    password_quality.use("https://pictures.contoso.co.jp")
    yield
    password_quality.use("")


GUESSED = {
    "the name of this product": "soroe12345|S0r0e!S0r0e!|揃え揃え揃え揃え揃え|ソロエ2026ソロエ|"
    "stylealigned1|Style-Aligned 26|s-o-r-o-e-2026|soroe password",
    "your own name or address": "Haruka2026!|h4ruk4-m0r1-26|akurah123456|KumoDesign!26|"
    "haruka.mori@kumo-design.com|ＨＡＲＵＫＡ２０２６",
    "this server’s own name": "Contoso2026!!|c0nt0s0-c0nt0s0|pictures 2026",
    "one common word": "password123|P4ssw0rd!!2026|password password|T0kyo2026!!|"
    "Summer 2026!|パスワード12345|ｐａｓｓｗｏｒｄ１２３|correct horse battery staple",
    "easy to guess": "1234567890|aaaaaaaaaaaa|abcdefghij|1988-04-01|abcabcabcabc",
}


@pytest.mark.parametrize(
    ("password", "why"), [(password, why) for why, words in GUESSED.items() for password in words.split("|")]
)
def test_easily_guessed_passwords_are_refused_with_a_reason(password: str, why: str) -> None:
    said = problem(password, KNOWN)
    assert said is not None
    assert why in said
    assert "Use a sentence of your own" in said


@pytest.mark.parametrize(
    "password",
    [
        "a sentence of my own",
        "tea kettle by the window",
        "雪をかぶった富士山が見える",
        "いぬもあるけばぼうにあたる",
        "Haruka likes tea from the old kettle",
        "Gr8 lamp under velvet stairs",
        "tk7vw3qzpd",
        "kX9#qw2LmP",
        "the quick brown fox " * 12,
    ],
)
def test_hard_to_guess_passwords_pass(password: str) -> None:
    assert problem(password, KNOWN) is None


def test_a_name_in_kanji_is_found_but_a_single_letter_is_not() -> None:
    assert "your own name" in (problem("森遥香2026森遥香", ("森遥香", "")) or "")
    assert problem("tea kettle by the window", ("A", "t@b.c")) is None


def test_a_links_password_may_be_shorter_but_not_common() -> None:
    assert problem("kq7xvmzt", (), SHARED_GUESSES) is None
    assert problem("password", (), SHARED_GUESSES)
    assert "the link’s own note" in (problem("agency26", ("Agency",), SHARED_GUESSES, "the link’s own note") or "")


def test_nothing_that_can_be_sent_takes_long() -> None:
    """zxcvbn alone takes 1.5 s for 72 characters that can be read as letters in many ways."""
    signs = "4@8({[<369!|10$5+7%2"
    chance = random.Random(1)
    hard = [signs * 5000, "ab" * 50_000, "\u0301" * 100_000, "\ufdfa" * 100_000, "12/12/1999" * 5000]
    hard += ["".join(chance.choices(signs + "aeiost", k=256)) for _ in range(20)]
    known = (" ".join(f"{'abcdefgh'[i % 8] * 3}{chr(97 + i)}" for i in range(16)), "a.b.c.d" * 5000 + "@x.com")
    problem("agency26", known)  # lists of words are read once
    for password in hard:
        with clock.at_most(0.05):
            problem(password, known)
