"""Sentences that were written in English elsewhere are said in the language of now."""

import pytest

from app.engine import overflow
from app.engine.events import Training
from app.errors import Invalid
from app.languages import speaking, translated
from app.pictures import clean_upload
from app.style_aligned import NotFinite
from scripts.messages import faults


@pytest.mark.parametrize(
    ("english", "japanese"),
    [
        ("The upload was cancelled.", "アップロードを中止しました。"),
        (
            "mug 100 % is damaged: its tensor a.b has another size than its shape.",
            "mug 100 %は破損しています。テンソルa.bのサイズが形状と一致しません。",
        ),
        (  # a message in a message in a message
            "No depth map can be created: The ControlNet maps could not be loaded: it has no safetensors files.",
            "深度マップを作成できません：ControlNet mapsを読み込めませんでした：safetensorsファイルがありません。",
        ),
        (  # of the two messages that fit, the one with more words
            "This picture could not be generated: the numbers overflowed. Lower the weight of @mug or the weight of its"
            " structures, or choose another scheduler.",
            "数値がオーバーフローしたため、この画像は生成できませんでした。@mugの重みまたは構図ガイドの重みを下げるか、"
            "別のスケジューラーを選択してください。",
        ),
        ("Nobody wrote this down as a message.", "Nobody wrote this down as a message."),
        ("", ""),
    ],
)
def test_a_sentence_is_found_by_the_words_between_its_parameters(english: str, japanese: str) -> None:
    assert translated(english) == english
    with speaking("ja"):
        assert translated(english) == japanese
        assert translated(japanese) == japanese


def test_what_a_unit_stores_is_found_again() -> None:
    training = Training(1, 1, (), "sks mug", "mug", 800, 16, 1e-2, text_encoders=False)
    told = overflow.told(training, NotFinite("the numbers overflowed in step 12"))
    with speaking("ja"):
        assert translated(told) == (
            "学習に失敗しました（ステップ12で数値がオーバーフローしました）。学習率を下げて、もう一度学習してください。"
        )


def test_a_refusal_of_the_process_that_decodes_is_said_here() -> None:
    small = (
        b"BM"
        + (54 + 3).to_bytes(4, "little")
        + bytes(4)
        + b"6\0\0\0(\0\0\0"
        + b"\1\0\0\0\1\0\0\0\1\0\x18\0"
        + bytes(28)
    )
    with speaking("ja"), pytest.raises(Invalid, match="画像のサイズは1 × 1 pxです。縦横とも64 px以上が必要です。"):
        clean_upload(small)


def test_faults_of_the_method_are_messages() -> None:
    code = """
raise ModelError(f"{path.name} has {len(names)} of 100 % and {names[0]}.")
raise Wrong("is no file")
raise ModelError(str(error))
raise ValueError("ours")
"""
    assert [entry.message for entry in faults(code)] == [
        "%(path)s has %(names)s of 100 %% and %(names2)s.",
        "%(file)s is no file.",
    ]
