"""A set of the command line on a loaded model."""

import secrets
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import cached_property
from importlib.metadata import version
from typing import Any

from PIL import Image

from app.cli.inputs import Inputs
from app.cli.spec import CommandSpec
from app.engine.depth import depth_model
from app.engine.facts import model_facts
from app.engine.runner import options
from app.engine.sensitivity import ranked_layers
from app.engine.translating import translator_for
from app.languages import gettext as _
from app.pictures import Limits
from app.prompts.remarks import Kind, Remarks, summary
from app.sets.looks import engine_sharing
from app.sets.readings import drawn_remarks, negative_unused
from app.sets.spec import SEEDS, seeds_from
from app.settings import Settings
from app.style_aligned import Sharing, Structure, Studio
from app.style_aligned.subjects import Adapted, phrase_in
from app.text import clean_line
from app.translation.marian import marian


class SetJob:
    """The arguments of `Studio.generate`, and their record in set.json."""

    def __init__(self, form: Mapping[str, Any], inputs: Inputs, studio: Studio, model: str, settings: Settings) -> None:
        """Raises Invalid, CommandRefused, ModelError and ValueError."""
        self._controls = studio.controls | settings.controlnet_names
        self._facts = model_facts(studio, model, self._controls, ranked_layers(studio, settings.data))
        translator = translator_for(settings, model, lambda texts: marian(settings.translation).translate(texts))
        spec = CommandSpec.for_model(form, self._facts)
        handles = [option.handle for option in spec.subjects]
        self.spec = spec = spec.translated(translator, lambda texts: handles)
        self._translator = translator
        self.inputs, self._studio, self._settings = inputs, studio, settings
        self.prompts = [prompt for prompt in spec.prompts for _copy in range(spec.count)]
        first = secrets.randbelow(SEEDS) if spec.seed is None else spec.seed
        self.seeds = seeds_from(first, len(self.prompts))
        strength = 1.0 if spec.strength is None else spec.strength
        usual = Sharing.for_picture(strength) if inputs.references else Sharing(strength)
        self.sharing = replace(usual, **options(engine_sharing(spec)))
        self.structures = [self._structure(index) for index in range(len(spec.structures))]

    def events(self) -> Any:
        """The events of `Studio.generate`."""
        spec, studio = self.spec, self._studio
        shows = self._said(spec.reference_prompt)
        references = [
            studio.reference(given.picture, shows, method=spec.method.value) for given in self.inputs.references
        ]
        return studio.generate(
            [self._read(prompt) for prompt in self.prompts],
            reference=references or None,
            sharing=self.sharing,
            structures=self.structures,
            regions=[region.made(studio, self._read(region.option.prompt)) for region in self.inputs.regions],
            adapters=self._adapters,
            seamless=spec.seamless,
            batch_size=self._settings.unit_size,
            preview_every=0,
            **self._how | {"negative_prompt": self._facts.reader.read(self._said(spec.negative_prompt)).read},
        )

    @property
    def texts_read(self) -> list[str]:
        """What the model gets, with the phrases of subjects, also of those that no prompt names."""
        prompts = [*self.spec.prompts, *(region.prompt for region in self.spec.regions)]
        return [*self._phrases.values(), *map(self._read, prompts)]

    def warnings(self) -> list[str]:
        """What the model does not read of the texts, in sentences."""
        reader, spec = self._facts.reader, self.spec

        def of(text: str, kind: Kind = "prompt", style_text: str = "") -> Remarks:
            english = spec.drawn_as.get(text, "")
            return drawn_remarks(reader, text, english, kind, style_text, self._phrases, self._translator)

        style = self._said(spec.text)
        told = summary([(number, of(text, "prompt", style)) for number, text in enumerate(spec.prompts, 1)], 20)
        for number, region in enumerate(self.inputs.regions, 1):
            told += [
                _("Region %(number)s: %(note)s", number=number, note=note)
                for note in of(region.option.prompt, "prompt", style).notes
            ]
        told += [*of(spec.text, "style").notes, *of(spec.negative_prompt, "negative").notes]
        return [*told, *filter(None, [negative_unused(spec.negative_prompt, spec.guidance)])]

    def record(self) -> dict[str, Any]:
        """Everything needed to reproduce the set, for set.json."""
        spec = self.spec
        references = [given.record | {"prompt": spec.reference_prompt} for given in self.inputs.references]
        followed = zip(spec.structures, self.structures, strict=True)
        return {
            "model": self._studio.name,
            "place": str(self._studio.place),
            "reference": references[0] if references else None,
            **({"further_references": references[1:]} if references[1:] else {}),
            "ground": spec.ground,
            "reference_method": spec.method.value if references else "text",
            "sharing": asdict(self.sharing),
            "structures": [option.record(structure.control.name) for option, structure in followed],
            "regions": [region.record for region in self.inputs.regions],
            "subjects": [option.record() for option in spec.subjects],
            "seamless": spec.seamless,
            "style_text": spec.text,
            "prompts": self.prompts,
            "prompts_read": [self._read(prompt) for prompt in self.prompts],
            **({"drawn_as": spec.drawn_as} if spec.drawn_as else {}),
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
        return self._facts.reader.read(self._said(prompt), self._said(self.spec.text), self._phrases).read

    def _said(self, text: str) -> str:
        """What the model gets for a text."""
        return self.spec.drawn_as.get(text, text)

    def _depth_map(self, picture: Image.Image) -> Image.Image:
        return depth_model(self._settings.depth_model)(picture)

    def _structure(self, index: int) -> Structure:
        """A structure with its ControlNet and maps, one per picture if there is one per prompt."""
        option, count = self.spec.structures[index], self.spec.count
        control = self._studio.control(self._controls.get(option.control, option.control), option.control)
        limits = Limits.of(self._settings)
        drawn = option.maps(self.spec.size, self._facts, self._depth_map, limits, self.spec.ground)
        maps = [each for each in drawn for _copy in range(count if len(drawn) > 1 else 1)]
        return Structure(control, maps, option.weight, (option.start, option.end))
