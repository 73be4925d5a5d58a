"""The references to begin with."""

import re

import pytest

from app.styles.samples import SAMPLES, Sample
from tests.demo import DEMO

KNOWN = set((DEMO / "other_words.txt").read_text().split())


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
def test_the_bundled_model_knows_every_word_of_a_samples_style_text(sample: Sample) -> None:
    """A page marks unknown words, and somebody who begins would wonder about ours."""
    assert set(re.findall(r"\w+", sample.text)) <= KNOWN
