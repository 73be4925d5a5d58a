"""The study of adaptive strength finds what is there, and nothing where nothing is."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers.models.attention_processor import Attention

from app.style_aligned import Sharing
from app.style_aligned.attention import RecordingProcessor, SharingProcessor
from benchmarks.adaptive.compare import beats, compare, interval
from benchmarks.adaptive.pictures import OFFSETS, STEPS, STRENGTHS, Maker, add, lines
from benchmarks.adaptive.watching import Controller, WatchedProcessor


def made(folder: Path, told: float) -> None:
    """Pairs of which half are best at the first strength and half at the last; a first look tells which with `told`."""
    random = np.random.default_rng(4)
    for number in range(240):
        far = random.random() < 0.5
        best = 0 if far else len(STRENGTHS) - 1
        alignment = [0.8 if place == best else 0.3 for place in range(len(STRENGTHS))]
        seen = told * (1 if far else -1) + random.normal()
        line = {
            "number": number,
            "reference": number // 6,
            "pictures": [
                {
                    "consistency": random.normal(0.8, 0.05),
                    "alignment": a + random.normal(0, 0.1),
                    "leakage": random.random() / 10,
                }
                for a in alignment
            ],
            "odds": [{"mid": [seen] * len(STRENGTHS)} for _ in range(STEPS)],
            "text_likeness": random.normal(),
        }
        add(folder / "fixed-0.jsonl", line)


def test_a_look_that_tells_which_strength_is_best_beats_every_fixed_one(tmp_path: Path) -> None:
    made(tmp_path, told=2.0)
    figures = compare(tmp_path)
    assert figures["pairs"] == {"tuning": 120, "held out": 120}
    assert beats(figures["against"]["by a first look"])
    assert beats(figures["against"]["by both"])
    assert not beats(figures["against"]["by words"])
    assert figures["scores"]["best in hindsight"][0] >= figures["scores"]["by a first look"][0]


def test_a_look_that_tells_nothing_does_not(tmp_path: Path) -> None:
    made(tmp_path, told=0.0)
    against = compare(tmp_path)["against"]
    assert not any(beats(against[name]) for name in ("by words", "by a first look", "by both"))


def test_pairs_of_a_reference_are_resampled_together() -> None:
    """Ten copies of each of eight values say no more than the eight."""
    values = np.random.default_rng(2).normal(size=8)
    together = interval(np.repeat(values, 10), np.repeat(np.arange(8), 10))
    assert together == pytest.approx(interval(values, np.arange(8)))


def test_a_line_that_a_kill_cut_off_is_made_again(tmp_path: Path) -> None:
    file = tmp_path / "fixed-0.jsonl"
    add(file, {"number": 1})
    with file.open("a") as end:
        end.write('{"number": 2, "pict')
    assert [line["number"] for line in lines(tmp_path, "fixed")] == [1]
    add(file, {"number": 2})
    assert [json.loads(line)["number"] for line in file.read_text().splitlines()] == [1, 2]


def test_a_shift_moves_the_log_odds_of_m_by_itself() -> None:
    torch.manual_seed(3)
    attn = Attention(query_dim=32, heads=2, dim_head=16).requires_grad_(False)
    reference, targets = torch.randn(2, 5, 32), torch.randn(4, 5, 32)  # in two branches
    recorder = RecordingProcessor(2)
    recorder(attn, reference)
    sharing = Sharing(1.0, adain_values=True)
    influence = sharing.influence([1.0, 1.0], [1.0], torch.device("cpu"))
    plain, moved = (
        WatchedProcessor(recorder.memory, influence, torch.tensor(each)) for each in ([0.0, 0.0], [0.7, -0.2])
    )
    torch.testing.assert_close(plain(attn, targets), SharingProcessor(recorder.memory, influence)(attn, targets))
    moved(attn, targets)
    torch.testing.assert_close(moved.odds - plain.odds, torch.tensor([0.7, -0.2]), atol=1e-5, rtol=1e-5)


def test_the_controller_reaches_what_is_wanted() -> None:
    """In a layer whose log-odds are a constant plus the shift."""
    controller = Controller({"mid": [0.0] * 12}, torch.tensor([0.0, -0.5]))
    for _ in range(11):
        controller.tell({"mid": torch.tensor([-1.2, 0.9]) + controller.shift("mid")})
    assert (torch.tensor([-1.2, 0.9]) + controller.shift("mid")).tolist() == pytest.approx([0.0, -0.5], abs=0.01)
    controller.tell({"mid": torch.tensor([-90.0, 90.0])})
    assert controller.shift("mid").tolist() == [2.0, -2.0]  # however far off


def test_every_step_of_every_picture_is_watched(tmp_path: Path) -> None:
    maker = Maker(tmp_path)
    (line,) = maker.fixed(maker.pairs[:1])
    assert [set(step) for step in line["odds"]] == [{"down", "mid", "up"}] * STEPS
    low, one, high = line["odds"][0]["mid"]
    assert low < one < high  # the stronger, the more goes to the reference
    assert len(line["pictures"]) == len(STRENGTHS)
    add(tmp_path / "fixed-0.jsonl", line)
    (steered,) = maker.controlled(maker.pairs[:1])
    for group, wanted in maker.usual.items():
        (last,) = steered["odds"][-1][group]
        # Of what it should be apart from usual, it has most in the last step: the same picture at strength 1 has none.
        assert last - wanted[-1] == pytest.approx(OFFSETS[0], abs=abs(OFFSETS[0]) / 2)
