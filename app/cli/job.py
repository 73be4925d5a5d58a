"""A set of the command line on a loaded model."""

import secrets
from collections.abc import Mapping
from dataclasses import asdict
from functools import cached_property
from importlib.metadata import version
from typing import Any

from PIL import Image

from app.cli.inputs import Inputs
from app.cli.spec import CommandSpec
from app.engine.depth import depth_model
from app.engine.facts import model_facts
from app.pictures import Limits
from app.sets.looks import joined
from app.sets.spec import SEEDS
from app.settings import Settings
from app.style_aligned import Sharing, Structure, Studio
from app.style_aligned.subjects import Adapted, phrase_in
from app.subjects.handles import spoken
from app.text import clean_line


class SetJob:
    """The arguments of `Studio.generate`, and their record in set.json."""

    def __init__(self, form: Mapping[str, Any], inputs: Inputs, studio: Studio, model: str, settings: Settings) -> None:
        """Raises Invalid, CommandRefused, ModelError and ValueError."""
        self._controls = studio.controls | settings.controlnet_names
        self._facts = model_facts(studio, model, self._controls)
        self.spec = spec = CommandSpec.for_model(form, self._facts)
        self.inputs, self._studio, self._settings = inputs, studio, settings
        self.prompts = [prompt for prompt in spec.prompts for _ in range(spec.count)]
        first = secrets.randbelow(SEEDS) if spec.seed is None else spec.seed
        self.seeds = [(first + index) % SEEDS for index in range(len(self.prompts))]
        strength = 1.0 if spec.strength is None else spec.strength
        self.sharing = Sharing.for_picture(strength) if inputs.reference else Sharing(strength)
        self.structures = [self._structure(index) for index in range(len(spec.structures))]

    def events(self) -> Any:
        """The events of `Studio.generate`."""
        given, spec, studio = self.inputs.reference, self.spec, self._studio
        return studio.generate(
            [self._read(prompt) for prompt in self.prompts],
            reference=studio.reference(given.picture, spec.reference_prompt, method=spec.method.value)
            if given
            else None,
            sharing=self.sharing,
            structures=self.structures,
            regions=[region.made(studio, self._read(region.option.prompt)) for region in self.inputs.regions],
            adapters=self._adapters,
            seamless=spec.seamless,
            batch_size=self._settings.unit_size,
            preview_every=0,
            **self._how,
        )

    def record(self) -> dict[str, Any]:
        """Everything needed to reproduce the set, for set.json."""
        spec, given = self.spec, self.inputs.reference
        followed = zip(spec.structures, self.structures, strict=True)
        return {
            "model": self._studio.name,
            "place": str(self._studio.place),
            "reference": given and given.record | {"prompt": spec.reference_prompt},
            "reference_method": spec.method.value if given else "text",
            "sharing": asdict(self.sharing),
            "structures": [option.record(structure.control.name) for option, structure in followed],
            "regions": [region.record for region in self.inputs.regions],
            "subjects": [option.record() for option in spec.subjects],
            "seamless": spec.seamless,
            "style_text": spec.text,
            "prompts": self.prompts,
            "versions": {name: version(name) for name in ("soroe", "torch", "diffusers", "transformers")},
            **self._how,
        }

    @property
    def _how(self) -> dict[str, Any]:
        names = ("steps", "guidance", "size", "scheduler", "negative_prompt")
        return {"seeds": self.seeds, **{name: getattr(self.spec, name) for name in names}}

    @cached_property
    def _phrases(self) -> dict[str, str]:
        """The phrase that the model reads for each subject's handle."""
        return {option.handle: clean_line(phrase_in(option.file.read_bytes())) for option in self.spec.subjects}

    @cached_property
    def _adapters(self) -> list[Adapted]:
        return [self._studio.adapter(option.file, option.weight) for option in self.spec.subjects]

    def _read(self, prompt: str) -> str:
        return spoken(joined(prompt, self.spec.text), self._phrases)

    def _depth_map(self, picture: Image.Image) -> Image.Image:
        return depth_model(self._settings.depth_model)(picture)

    def _structure(self, index: int) -> Structure:
        """A structure with its ControlNet and maps, one per picture if there is one per prompt."""
        option, count = self.spec.structures[index], self.spec.count
        control = self._studio.control(self._controls.get(option.control, option.control), option.control)
        limits = Limits.of(self._settings)
        drawn = option.maps(self.spec.size, self._facts, self._depth_map, limits)
        maps = [each for each in drawn for _ in range(count if len(drawn) > 1 else 1)]
        return Structure(control, maps, option.weight, (option.start, option.end))
