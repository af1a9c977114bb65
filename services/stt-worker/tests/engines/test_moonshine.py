"""What is particular to the embedded engine."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from roomscribe_stt_worker.engines.moonshine import Moonshine, embedded_model
from roomscribe_stt_worker.engines.onnx import Array, OnnxModel
from roomscribe_stt_worker.engines.protocol import Clip
from roomscribe_stt_worker.engines.tokenizer import END, Tokenizer

from .conftest import Spoken, words


class CountingModel(OnnxModel):
    """Counts the decoder's steps."""

    steps = 0

    def run(self, outputs: Sequence[str], feeds: Mapping[str, Array]) -> dict[str, Array]:
        self.steps += 1
        return super().run(outputs, feeds)


def test_a_decode_never_loads_the_packages_own_library() -> None:
    code = (
        "import sys, numpy as np\n"
        "from roomscribe_stt_worker.engines.moonshine import Moonshine\n"
        "from roomscribe_stt_worker.engines.protocol import Clip\n"
        "Moonshine().transcribe([Clip(np.zeros(16000, np.float32))])\n"
        "assert 'moonshine_voice' not in sys.modules\n"
        "assert 'libmoonshine' not in open('/proc/self/maps').read()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_right_draft_is_read_in_few_steps(spoken: dict[str, Spoken]) -> None:
    engine = Moonshine()
    counting = CountingModel(embedded_model() / "decoder_model_merged.ort")
    engine._decoder = counting  # pyright: ignore[reportPrivateUsage]  # counts steps; nothing else shows them
    samples = spoken["roadmap"].samples
    [found] = engine.transcribe([Clip(samples)])
    assert counting.steps == len(found.tokens) > 10
    counting.steps = 0
    [again] = engine.transcribe([Clip(samples, draft=found)])
    assert again.text == found.text
    assert counting.steps < len(found.tokens) / 2


def test_nobody_is_given_more_words_than_can_be_said(moonshine: Moonshine) -> None:
    noise = (np.random.default_rng(0).normal(size=8 * 16_000) * 0.001).astype(np.float32)
    [found] = moonshine.transcribe([Clip(noise)])
    assert len(found.tokens) <= 8 * 6.5 + 1


def test_sixteen_seconds_in_one_piece_keep_their_words(moonshine: Moonshine, spoken: dict[str, Spoken]) -> None:
    names = ("roadmap", "budget", "question", "answer")
    pause = np.zeros(6_400, np.float32)
    whole = np.concatenate([part for name in names for part in (spoken[name].samples, pause)])
    assert len(whole) > 15 * 16_000
    [found] = moonshine.transcribe([Clip(whole)])
    said = [word for name in names for word in spoken[name].words]
    got = words(found.text)
    assert len(set(said) - set(got)) <= 2
    assert abs(len(got) - len(said)) <= 3


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=str(tmp_path)):
        Moonshine(tmp_path)


def test_the_tokenizer_reads_long_pieces_and_leaves_out_special_ones(tmp_path: Path) -> None:
    long = b"x" * 300
    pieces = [b"<unk>", b"<s>", b"</s>", "▁Hello".encode(), b"<<ST_7>>", long, b"\xe2\x82", b"\xac"]
    data = b"".join(
        (bytes([len(p)]) if len(p) < 128 else bytes([len(p) & 0x7F | 0x80, len(p) >> 7])) + p for p in pieces
    )
    (tmp_path / "tokenizer.bin").write_bytes(data)
    tokenizer = Tokenizer.load(tmp_path / "tokenizer.bin")
    assert tokenizer.text([1, 3, 4, 5, 6, 7, END]) == "Hello" + "x" * 300 + "€"


def test_a_tokenizer_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.bin").write_bytes(b"\x05<unk")
    with pytest.raises(ValueError, match="cut off"):
        Tokenizer.load(tmp_path / "tokenizer.bin")
