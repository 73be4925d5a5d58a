"""A Marian model, loaded and asked as a real one: a tiny random one, made here."""

import io
import json
from pathlib import Path

import pytest
import torch
from sentencepiece import SentencePieceProcessor, SentencePieceTrainer
from tokenizers import Tokenizer, pre_tokenizers
from tokenizers.models import WordLevel
from transformers import MarianConfig, MarianMTModel, PreTrainedTokenizerFast

from app.engine.translating import Remembered, translator_for
from app.settings import Settings
from app.translation.dictionary import Dictionary
from app.translation.marian import BATCH, Marian, marian
from app.translation.translator import CannotTranslate, Translation

WORDS = ["<pad>", "</s>", "<unk>", "狐", "家", "a", "fox", "house"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("marian")
    tokenizer = Tokenizer(WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
    config = MarianConfig(
        vocab_size=len(WORDS),
        d_model=16,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        pad_token_id=0,
        eos_token_id=1,
        decoder_start_token_id=0,
        forced_eos_token_id=1,
        max_length=8,
        max_position_embeddings=160,
        **sizes,
    )
    MarianMTModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def published(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a model as it is published: two of SentencePiece, and the pieces of both as one vocabulary."""
    published = tmp_path_factory.mktemp("published")
    pieces: dict[str, None] = {}
    for name, text in (("source", "赤い狐と家"), ("target", "a red fox and a house")):
        made = io.BytesIO()
        SentencePieceTrainer.train(
            sentence_iterator=iter([text] * 20), model_writer=made, vocab_size=20, hard_vocab_limit=False, minloglevel=2
        )
        (published / f"{name}.spm").write_bytes(made.getvalue())
        read = SentencePieceProcessor(model_file=str(published / f"{name}.spm"))
        pieces |= dict.fromkeys(map(read.id_to_piece, range(read.get_piece_size())))
    words = ["</s>", "<unk>", *(pieces.keys() - {"</s>", "<unk>", "<s>"}), "<pad>"]
    (published / "vocab.json").write_text(json.dumps({word: number for number, word in enumerate(words)}))
    (published / "tokenizer_config.json").write_text(json.dumps({"source_lang": "ja", "target_lang": "en"}))
    config = MarianConfig.from_pretrained(folder)
    config.vocab_size = config.decoder_vocab_size = len(words)
    config.eos_token_id = config.forced_eos_token_id = 0
    config.pad_token_id = config.decoder_start_token_id = len(words) - 1
    torch.manual_seed(0)
    MarianMTModel(config).save_pretrained(published)
    return published


def test_a_model_is_read_as_it_is_published(published: Path) -> None:
    model = Marian(str(published))
    assert model._tokenizer.tokenize("赤い狐") != ["<unk>"]
    assert len(model.translate(["赤い狐", "家"])) == 2


def test_texts_are_translated_in_batches_and_always_alike(folder: Path) -> None:
    model = marian(str(folder))
    texts = ["狐", "狐家", "家"] * BATCH
    found = model.translate(texts)
    assert len(found) == len(texts)
    assert model.translate(texts) == found
    assert model.translate([]) == []
    assert marian(str(folder)) is model, "it is loaded once"


@pytest.mark.parametrize("missing", ["", "*.safetensors", "config.json"])
def test_a_model_that_cannot_be_loaded_is_one_sentence(folder: Path, tmp_path: Path, missing: str) -> None:
    name = tmp_path / "copy"
    if missing:
        name.mkdir()
        for file in set(folder.iterdir()) - set(folder.glob(missing)):
            (name / file.name).write_bytes(file.read_bytes())
    else:
        name.mkdir()
    with pytest.raises(CannotTranslate, match="check SOROE_TRANSLATION") as refused:
        Marian(str(name))
    assert str(name) in str(refused.value)


def test_a_text_is_asked_for_once() -> None:
    asked: list[tuple[str, ...]] = []

    def ask(texts: tuple[str, ...]) -> list[str]:
        asked.append(texts)
        return [f"{text}\n!" for text in texts]

    remembered = Remembered(ask)
    assert remembered.translate(["狐", "家", "狐"]) == [Translation("狐 !"), Translation("家 !"), Translation("狐 !")]
    assert remembered.translate(["家"]) == [Translation("家 !")]
    assert asked == [("狐", "家")]
    assert list(remembered.missed("狐", "狐 !")) == []


def test_the_setting_chooses_the_translator() -> None:
    def chosen(translation: str, model: str) -> object:
        settings = Settings(translation=translation, _env_file=None)  # type: ignore[call-arg]
        return type(translator_for(settings, model, list))

    assert chosen("", "demo") is chosen("dictionary", "sdxl") is Dictionary
    assert chosen("", "sdxl") is chosen("off", "demo") is type(None)
    assert chosen("/models/ja-en", "demo") is Remembered
