"""The command line: its files, its output, and its exit status. As a separate process where that matters."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.engine.sensitivity import LayerRanking
from app.quality.look import Look
from tests.command import soroe
from tests.demo import FACTOR, SIDE, SQUARE

LOOKS = Path(__file__).parent / "data" / "looks"
REFERENCE = LOOKS / "poster-pear.webp"
SOROE = Path(sys.executable).with_name("soroe")


def process(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [SOROE, *map(str, arguments)]
    environment = os.environ | environment
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)


def generate(out: Path, *arguments: str | Path, run: Callable[..., Any] = soroe) -> Any:
    return run("generate", "--out", out, "--steps", "4", "--seed", "7", *arguments)


def test_a_set_with_a_reference(tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    asked = ("--reference", REFERENCE, "--prompt", "[a fox]", "--prompt", "a Teapot!", "--count", "2")
    done = generate(out, *asked, run=process)
    assert (done.returncode, done.stderr) == (0, "")
    names = ["001-a-fox.png", "002-a-fox.png", "003-a-teapot.png", "004-a-teapot.png"]
    assert sorted(f.name for f in out.iterdir()) == [*names, "set.json", "sheet.png"]
    record = json.loads((out / "set.json").read_text())
    assert [i["file"] for i in record["images"]] == names
    assert [i["seed"] for i in record["images"]] == record["seeds"] == [7, 8, 9, 10]
    assert record["reference"]["file"] == "poster-pear.webp"
    assert record["sharing"]["strength"] == 1.0
    assert record["prompts"][1:3] == ["[a fox]", "a Teapot!"]
    assert record["prompts_read"][1:3] == ["(a fox:0.9091)", "a Teapot!"]
    sheet, first = Image.open(out / "sheet.png"), Image.open(REFERENCE).convert("RGB").resize(SQUARE)
    corner = sheet.crop((16, 16, 16 + 256, 16 + 256)).resize(SQUARE)
    assert (
        max(
            abs(a - b)
            for a, b in zip(corner.resize((1, 1)).getpixel((0, 0)), first.resize((1, 1)).getpixel((0, 0)), strict=True)
        )
        < 8
    )


def test_the_same_command_makes_the_same_pictures(tmp_path: Path) -> None:
    for out in ("a", "b"):
        assert generate(tmp_path / out, "--prompt", "a fox", "--format", "webp").returncode == 0
    assert (tmp_path / "a/001-a-fox.webp").read_bytes() == (tmp_path / "b/001-a-fox.webp").read_bytes()


def test_prompts_from_a_file_without_a_reference(tmp_path: Path) -> None:
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("a fox\n\n  雪だるま  \n", encoding="utf-8")
    done = generate(tmp_path / "out", "--prompts-file", prompts, "--style-text", "watercolor", "--format", "jpeg")
    assert done.returncode == 0, done.stderr
    assert {f.name for f in (tmp_path / "out").glob("*.jpg")} == {"001-a-fox.jpg", "002-雪だるま.jpg"}
    record = json.loads((tmp_path / "out/set.json").read_text(encoding="utf-8"))
    assert record["reference_method"] == "text"
    assert [i["text"] for i in record["images"]] == ["a fox, watercolor", "a snowman, watercolor"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "At least one --prompt or a --prompts-file is needed."),
        (["--prompts-file", "nowhere.txt"], "The prompts in nowhere.txt cannot be read: No such file or directory."),
        (["--prompt", "x", "--reference", "nowhere.png"], "The reference nowhere.png cannot be read"),
        (["--prompt", "x", "--reference", __file__], "cannot be used"),
        (
            ["--prompt", "x", "--size", "big"],
            "The size is width x height in pixels, such as 1024x768; 'big' was given.",
        ),
        (
            ["--prompt", "x", "--size", "100x100"],
            f"Width must be a multiple of {FACTOR} px from 64 to {8 * SIDE}; 100 was given",
        ),
        (
            ["--prompt", "x", "--size", "3840x256"],
            f"Width must be a multiple of {FACTOR} px from 64 to {8 * SIDE}; 3840 was given",
        ),
        (["--prompt", "x", "--region", "a fox"], '--region is written like "0.5,0,0.5,1|a fox|neon.png|1.2"'),
        (["--prompt", "x", "--region", "0.5,0,0.6,1|a fox"], "Region 1 reaches beyond the picture."),
        (["--prompt", "x", "--region", "nowhere.png|a fox"], "The mask nowhere.png cannot be read"),
        (["--prompt", "x", "--strength", "3"], "Strength must be a number from 0 to 2; '3' was given."),
        (["--prompt", "x", "--scheduler", "magic"], "The scheduler must be one of "),
        (["--prompt", "x", "--model", "nowhere"], "There is no model at nowhere"),
        (["--prompt", "x", "--count", "0"], "Variations must be a whole number from 1 to 16; '0' was given."),
        (["--prompt", "x", "--frobnicate"], "No such option: --frobnicate"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    done = soroe("generate", "--out", tmp_path / "out", *arguments)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_banner_with_a_region_in_another_look(tmp_path: Path) -> None:
    region = f"0.5,0,0.5,1|a fox|{LOOKS / 'neon-guitar.webp'}|1.2"
    reference, size = LOOKS / "pencil-handbag.webp", f"{2 * SIDE}x{SIDE // 2}"
    done = generate(
        tmp_path, "--prompt", "a house", "--reference", reference, "--size", size, "--seamless", "--region", region
    )
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "001-a-house.png") as picture:
        assert picture.size == (2 * SIDE, SIDE // 2)
        left, right = (Look.of(picture.crop((x, 0, x + SIDE * 3 // 4, SIDE // 2))) for x in (SIDE // 8, SIDE * 9 // 8))
    with Image.open(reference) as pencil:
        assert left.distance(Look.of(pencil)) < right.distance(Look.of(pencil))
    record = json.loads((tmp_path / "set.json").read_text(encoding="utf-8"))
    assert record["seamless"] is True
    (part,) = record["regions"]
    assert (part["prompt"], part["box"], part["strength"], part["mask"]) == ("a fox", [0.5, 0.0, 0.5, 1.0], 1.2, None)
    assert part["reference"]["file"] == "neon-guitar.webp"


def test_the_options_of_sharing_reach_the_pictures(tmp_path: Path) -> None:
    """With two references, and the most sensitive layers by the bundled ranking."""
    options = ("--layers", "sensitive", "--layer-count", "3", "--calibration", "0.5", "--calibration-end", "0.4")
    more = ("--reference-queries", "0.1", "--subject-attention", "0.3", "--blend", "sphere")
    references = ("--reference", REFERENCE, "--reference", LOOKS / "neon-guitar.webp")
    done = generate(tmp_path, "--prompt", "a fox", *references, *options, *more)
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "set.json").read_text(encoding="utf-8"))
    shared = record["sharing"]
    assert len(shared["layers"]) == 3
    assert (shared["colour"], shared["colour_steps"], shared["blend"]) == (0.5, [0.0, 0.4], "sphere")
    assert (shared["reference_queries"], shared["subject_attention"]) == (0.1, 0.3)
    assert shared["adain_values"] is True, "the rest is usual for pictures"
    assert [each["file"] for each in (record["reference"], *record["further_references"])] == [
        "poster-pear.webp",
        "neon-guitar.webp",
    ]
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 3 * 128, "both references and the picture"


def test_layers_are_ranked_by_a_command_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "ranking.json"
    done = soroe("rank-layers", "--pairs", "1", "--steps", "1", "--out", file)
    assert done.returncode == 0, done.stderr
    ranking = LayerRanking.read(file)
    assert ranking
    assert (ranking.pairs, ranking.steps, len(ranking.layers)) == (1, 1, 11)
    listed = re.findall(r"^ +(\d+) +(-?[\d.]+) +(\S+)$", done.stdout, re.MULTILINE)
    assert [(int(place), name) for place, _, name in listed] == [*enumerate(ranking.names, start=1)]
    assert [float(score) for _, score, _ in listed] == sorted((float(score) for _, score, _ in listed), reverse=True)
    assert "Restart the server to use it." in done.stdout
    assert [each.name for each in tmp_path.iterdir()] == ["ranking.json"], "what was measured on the way is gone"


def test_layers_are_not_ranked_where_the_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    done = soroe("rank-layers", "--out", tmp_path / "notes.txt" / "ranking.json", "--model", "nowhere")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_a_folder_that_cannot_be_written_to_is_refused_before_the_model_is_loaded(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.touch()
    done = soroe("generate", "--out", file / "out", "--prompt", "a fox", "--model", "nowhere")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert f"{file} is a file" in done.stderr.replace("\n", "")


def test_a_set_is_not_written_over_by_accident(tmp_path: Path) -> None:
    (tmp_path / "set.json").write_text("{}")
    assert "There is already a set" in generate(tmp_path, "--prompt", "a fox").stderr
    assert generate(tmp_path, "--prompt", "a fox", "--overwrite").returncode == 0


def test_ctrl_c_keeps_what_is_finished_and_says_so(tmp_path: Path) -> None:
    prompts = [argument for _ in range(40) for argument in ("--prompt", "a fox")]
    command = [SOROE, "generate", "--out", tmp_path, "--steps", "8", *prompts]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline() == "001-a-fox.png\n"
        process.send_signal(signal.SIGINT)
        rest, said = process.stdout.read(), process.stderr.read()
    kept = len(re.findall(r"\.png", rest)) + 1
    assert process.returncode == 130
    assert said == f"Stopped. {kept} of 40 pictures were finished and are kept in {tmp_path}.\n"
    assert 1 <= kept < 40
    assert len(json.loads((tmp_path / "set.json").read_text())["images"]) == kept == len(list(tmp_path.glob("0*.png")))


def test_a_port_in_use_and_a_second_server_are_sentences(tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = process("serve", SOROE_DATA=str(tmp_path), SOROE_PORT=port)
    assert done.returncode == 2
    assert done.stderr == f"soroe: The address 127.0.0.1:{port} cannot be used: Address already in use.\n"


def test_a_new_data_folder_is_private(tmp_path: Path) -> None:
    data = tmp_path / "new"
    soroe("serve", SOROE_DATA=str(data), SOROE_PORT="0", SOROE_MODEL="/no/such/model")
    assert data.stat().st_mode & 0o777 == 0o700


def test_a_wrong_setting_is_a_sentence_for_generate_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOROE_PORT", "http")
    done = generate(tmp_path / "out", "--prompt", "a fox")
    assert done.returncode == 2
    assert done.stderr.startswith("soroe: SOROE_PORT is wrong")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("SOROE_PORT", "http", "SOROE_PORT is wrong"),
        ("SOROE_MODEL", "/no/such/model", "There is no model at /no/such/model"),
        ("SOROE_DATA", "/proc/soroe", "/proc/soroe cannot be used"),
    ],
)
def test_a_wrong_setting_is_a_sentence_before_the_server_is_ready(
    tmp_path: Path, name: str, value: str, sentence: str
) -> None:
    done = soroe("serve", **{"SOROE_DATA": str(tmp_path), "SOROE_PORT": "0", name: value})
    assert done.returncode == 2
    *log, said = done.stderr.splitlines()
    assert sentence in said
    assert not [line for line in log if not line.startswith("{")], "nothing but the log, and no traceback in it"
    assert "Traceback" not in done.stderr
    assert "ready" not in done.stdout


def test_a_set_says_what_the_model_does_not_read(tmp_path: Path) -> None:
    long = "a red fox and an owl on a teapot and a sailboat and a rose and an apple and a cat and a dog"
    asked = ("--prompt", f"{long} <lora:x:1>", "--prompt", "a unicorn", "--negative-prompt", "fox", "--guidance", "1")
    made = [generate(tmp_path / text, *asked, "--style-text", text) for text in ("neon sign", "oil painting")]
    assert [done.returncode for done in made] == [0, 0], made[0].stderr
    said = made[0].stderr.splitlines()
    assert said[0] == "Warning: Prompt 1: <lora:x:1> is not read. Use @handle for a subject."
    assert said[1].startswith("Warning: Prompt 1: The prompt is too long: the model stops reading before")
    assert said[2] == "Warning: Prompt 2: The model knows none of these words. Try others."
    assert said[3].startswith("Warning: The negative prompt does nothing at guidance 1")
    pictures = [next((tmp_path / text).glob("001-*.png")).read_bytes() for text in ("neon sign", "oil painting")]
    assert pictures[0] != pictures[1], "the style's text is never what is cut"


def test_a_scheduler_says_how_many_steps_it_takes(tmp_path: Path) -> None:
    done = soroe("generate", "--out", tmp_path / "out", "--prompt", "a fox", "--scheduler", "pndm", "--steps", "3")
    assert (done.returncode, "pndm takes at least 4 steps; 3 was given." in done.stderr) == (2, True)
    assert not (tmp_path / "out").exists()


def test_seeds_continue_at_zero(tmp_path: Path) -> None:
    asked = ("--prompt", "a fox", "--prompt", "an owl", "--steps", "1")
    assert generate(tmp_path / "out", *asked, "--seed", "2147483647").returncode == 0
    assert json.loads((tmp_path / "out/set.json").read_text())["seeds"] == [2147483647, 0]


def test_a_ranking_in_the_place_of_a_folder_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    done = soroe("rank-layers", "--out", tmp_path, "--model", "nowhere")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"soroe: {tmp_path} is a folder. Name the file to write.\n"


def test_without_a_command_there_is_only_the_help() -> None:
    done = soroe()
    assert "rank-layers" in done.stdout
    assert done.stderr == ""
