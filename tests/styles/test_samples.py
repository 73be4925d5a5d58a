"""The references to begin with."""

import re

import pytest

from app.styles.samples import SAMPLES, Sample
from tests.demo import DEMO

KNOWN = set(re.findall("[a-z0-9]+", "".join((DEMO / name).read_text() for name in ("words.txt", "other_words.txt"))))


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
def test_the_bundled_model_knows_every_word_of_a_sample(sample: Sample) -> None:
    """A page marks unknown words, and somebody who begins would wonder about ours."""
    assert set(re.findall("[a-z0-9]+", f"{sample.text} {sample.shows}")) <= KNOWN
