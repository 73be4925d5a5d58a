"""What is known of a model before it is loaded: the facts of the last time, so that forms work at once."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from app import atomic
from app.engine.base import ModelFacts, TrainingFacts
from app.prompts.reader import FRAME, Reader
from app.settings import Settings

BUNDLED = Path(__file__).parents[1] / "demo_model"


def recall(settings: Settings) -> ModelFacts | None:
    """The facts of the model in the settings, if it was loaded before with this data folder."""
    try:
        found = json.loads(_file(settings).read_text())
        return _facts(found) if found["of"] == _key(settings) else None
    except Exception:  # of another version, or damaged in any way: they come again when the model is loaded
        return None


def remember(settings: Settings, facts: ModelFacts) -> None:
    """Keep the facts of a loaded model. Raises OSError."""
    reader, training = facts.reader, facts.training
    kept = {
        "of": _key(settings),
        "facts": {name: value for name, value in vars(facts).items() if name not in ("reader", "training")},
        "training": vars(training),
        "tokenizers": [tokenizer.to_str() for tokenizer in reader.tokenizers],
        "most_tokens": reader.room + FRAME,
        "most_chunks": reader.most_chunks,
        "known_words": sorted(reader.words),
    }
    atomic.write(_file(settings), json.dumps(kept).encode())


def _facts(found: dict[str, Any]) -> ModelFacts:
    tokenizers = [Tokenizer.from_str(text) for text in found["tokenizers"]]
    return ModelFacts(
        **_with_tuples(found["facts"]),
        training=TrainingFacts(**_with_tuples(found["training"])),
        reader=Reader(tokenizers, found["most_tokens"], frozenset(found["known_words"]), found["most_chunks"]),
    )


def _with_tuples(values: dict[str, Any]) -> dict[str, Any]:
    return {name: _tuples(value) for name, value in values.items()}


def _tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return _with_tuples(value)
    return tuple(value) if isinstance(value, list) else value


def _key(settings: Settings) -> str:
    chosen = (settings.model, settings.device, settings.precision, settings.controlnets, _shape(settings.model))
    return ", ".join(chosen)


def _shape(model: str) -> str:
    """A hash of what says the sizes and the words of a model in a folder: another may come under the same name."""
    folder = BUNDLED if model == "demo" else Path(model)
    files = sorted([*folder.glob("*/config.json"), *folder.glob("*.txt")])
    return sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]


def _file(settings: Settings) -> Path:
    return settings.data / "cache" / "model-facts.json"
