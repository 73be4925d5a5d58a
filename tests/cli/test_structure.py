import json
from pathlib import Path

import pytest
import torch
from diffusers import ControlNetModel
from PIL import Image, ImageDraw

from app.cli.options.structure import StructureOption
from app.pictures import Limits
from app.style_aligned.loading import Placement, load_pipeline
from tests.cli.asked import REFUSED, asked
from tests.command import soroe
from tests.demo import HINT_CHANNELS
from tests.factory import MODEL


def drawing(file: Path, size: tuple[int, int] = (300, 300)) -> Path:
    picture = Image.new("RGB", size, "white")
    ImageDraw.Draw(picture).rectangle((80, 90, 170, 200), fill="navy")
    picture.save(file)
    return file


def test_a_structure_as_it_is_usually_written(tmp_path: Path) -> None:
    file = drawing(tmp_path / "chair.png")
    (option,) = asked(structure=[f"edges={file}"]).structures
    assert option == StructureOption(control="edges", files=(file,), ready=False, weight=1.0, start=0.0, end=1.0)


def test_numbers_in_any_order_and_commas_in_a_name(tmp_path: Path) -> None:
    file = drawing(tmp_path / "chair, red.png")
    (option,) = asked(structure=[f"silhouette=ready:{file},end=0.7,weight=1.5,start=0.2"]).structures
    assert (option.files, option.ready) == ((file,), True)
    assert (option.weight, option.start, option.end) == (1.5, 0.2, 0.7)


def test_a_folder_has_a_map_for_each_prompt_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b.png", "a.webp", "notes.txt"):
        drawing(tmp_path / name) if not name.endswith("txt") else (tmp_path / name).write_text("")
    (option,) = asked("a fox\nan owl", structure=[f"edges={tmp_path}"]).structures
    assert [file.name for file in option.files] == ["a.webp", "b.png"]
    with pytest.raises(REFUSED, match="There are 2 maps of edges for 3 prompts; give one for all, or one for each"):
        asked("a fox\nan owl\na car", structure=[f"edges={tmp_path}"])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("chair.png", "--structure is written KIND=FILE, with edges, silhouette, depth for KIND"),
        ("pose={file}", "--structure is written KIND=FILE"),
        ("edges=", "--structure is written KIND=FILE"),
        ("edges=nowhere.png", "The structure nowhere.png cannot be read: there is no such picture"),
        ("edges={file},weight=3", "A structure’s weight must be a number from 0 to 2; '3' was given."),
        ("edges={file},start=soon", "A structure’s start must be a number from 0 to 1; 'soon' was given."),
        ("edges={file},end=nan", "A structure’s end must be a number from 0 to 1; 'nan' was given."),
        ("edges={file},start=0.9,end=0.1", "A structure starts before it ends; from 0.9 to 0.1 was given."),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(REFUSED) as refused:
        asked(structure=[text.format(file=drawing(tmp_path / "chair.png"))])
    assert sentence in str(refused.value)


def test_a_map_of_another_shape_is_refused(tmp_path: Path) -> None:
    (option,) = asked(structure=[f"edges={drawing(tmp_path / 'wide.png', (600, 300))}"]).structures
    with pytest.raises(REFUSED, match="600 × 300 px and pictures of 128 × 128 would distort it: crop the map"):
        option.maps((128, 128), MODEL, "", Limits())
    assert option.maps((256, 128), MODEL, "", Limits())[0].size == (256, 128)


def test_a_file_other_than_a_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "no.png").write_text("not at all")
    (option,) = asked(structure=[f"edges={tmp_path / 'no.png'}"]).structures
    with pytest.raises(REFUSED, match=r"The structure .*no.png cannot be used: The file is not a supported picture"):
        option.maps((128, 128), MODEL, "", Limits())


def test_a_set_that_follows_a_drawing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole command, with a custom ControlNet named in the settings."""
    unet = load_pipeline("demo", Placement.choose("cpu"), lambda what, share: None).unet
    torch.manual_seed(0)
    net = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=HINT_CHANNELS)
    net.save_pretrained(tmp_path / "net")
    monkeypatch.setenv("SOROE_CONTROLNETS", f"depth={tmp_path / 'net'}")
    map_file = drawing(tmp_path / "chair.png")
    done = soroe(
        *("generate", "--out", tmp_path / "out", "--steps", "2", "--prompt", "a fox", "--prompt", "a car"),
        *("--structure", f"depth=ready:{map_file},weight=0.8,end=0.7", "--count", "2"),
    )
    assert done.returncode == 0, done.stderr
    (kept,) = json.loads((tmp_path / "out/set.json").read_text())["structures"]
    assert (kept["kind"], kept["controlnet"], kept["ready"]) == ("depth", str(tmp_path / "net"), True)
    assert (kept["weight"], kept["start"], kept["end"]) == (0.8, 0.0, 0.7)
    assert kept["files"][0]["file"] == "chair.png"
    assert len(kept["files"][0]["sha256"]) == 64


def test_a_kind_without_a_controlnet_is_one_sentence(tmp_path: Path) -> None:
    file = drawing(tmp_path / "chair.png")
    done = soroe("generate", "--out", tmp_path / "out", "--prompt", "x", "--structure", f"depth=ready:{file}")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "soroe: demo has no ControlNet for depth of its own; name a folder or a hub id.\n"
    assert not (tmp_path / "out").exists()
