"""Commands that make pictures refuse words that the team of this machine's server does not allow."""

from pathlib import Path

import numpy as np
from safetensors.numpy import save
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.blocked import service as blocked
from app.blocked.service import WordSpec
from app.models import Role
from app.settings import Settings
from app.style_aligned.lora_file import PHRASE
from tests.command import soroe
from tests.factory import Factory, png


def test_a_blocked_word_is_refused_before_the_model_is_loaded(
    session: Session, make: Factory, settings: Settings, tmp_path: Path
) -> None:
    word = WordSpec(name="Acme", reason="A competitor.", managers_may=True)
    blocked.add(session, make.user(Role.MANAGER), word)
    session.commit()
    out, data = tmp_path / "out", str(settings.data)
    for option in ("--prompt", "--style-text"):
        done = soroe("generate", "--out", out, "--prompt", "a fox", option, "an ＡＣＭＥ can", SOROE_DATA=data)
        assert (done.returncode, done.stderr.strip()) == (2, "soroe: “Acme” is blocked here: A competitor.")
    assert not out.exists()
    session.execute(text("DROP TABLE blocked_words"))  # as in a database from before there was a list
    session.commit()
    done = soroe("generate", "--out", out, "--prompt", "an acme can", "--model", tmp_path / "none", SOROE_DATA=data)
    assert "is blocked here" not in done.stderr


def test_it_sees_what_is_drawn(session: Session, make: Factory, settings: Settings, tmp_path: Path) -> None:
    blocked.add(session, make.user(Role.MANAGER), WordSpec(name="fox", reason="Wrong animal."))
    session.commit()
    done = soroe("generate", "--out", tmp_path / "out", "--prompt", "赤い狐", SOROE_DATA=str(settings.data))
    assert done.returncode == 2
    assert "“fox”, as which “赤い狐” is drawn, is blocked here: Wrong animal." in done.stderr


def test_the_kind_and_the_phrase_of_a_subject_are_checked(
    session: Session, make: Factory, settings: Settings, tmp_path: Path
) -> None:
    blocked.add(session, make.user(Role.MANAGER), WordSpec(name="red can", reason="A competitor."))
    session.commit()
    data = str(settings.data)
    (tmp_path / "a.png").write_bytes(png())
    pictures = [part for _ in range(3) for part in ("--picture", tmp_path / "a.png")]
    file = tmp_path / "mug.safetensors"
    done = soroe("subject", "--out", file, "--class", "Red Can", *pictures, SOROE_DATA=data)
    assert (done.returncode, done.stderr.strip()) == (2, "soroe: “red can” is blocked here: A competitor.")
    file.write_bytes(save({"x": np.zeros(1)}, {PHRASE: "red"}))
    args = ("--out", tmp_path / "out", "--subject", file, "--prompt", "a @mug can")
    done = soroe("generate", *args, SOROE_DATA=data)
    assert (done.returncode, done.stderr.strip()) == (2, "soroe: “red can” is blocked here: A competitor.")
