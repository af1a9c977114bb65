"""The decoder's state, on the real model."""

import numpy as np
from roomscribe_stt_worker.engines.decoding import Decoding
from roomscribe_stt_worker.engines.moonshine import embedded_model
from roomscribe_stt_worker.engines.onnx import Array, OnnxModel
from roomscribe_stt_worker.engines.tokenizer import START

from .conftest import Spoken

LEFT, RIGHT, NEXT = 300, 4_000, 500


def begun(spoken: Spoken, takes: int) -> Decoding:
    folder = embedded_model()
    samples = np.stack([spoken.samples] * takes)
    mask = np.ones(samples.shape, np.int64)
    encoder = OnnxModel(folder / "encoder_model.ort")
    hidden = encoder.run(["last_hidden_state"], {"input_values": samples, "attention_mask": mask})
    return Decoding(OnnxModel(folder / "decoder_model_merged.ort"), hidden["last_hidden_state"], mask, takes)


def far(a: Array, b: Array) -> float:
    return float(np.abs(a - b).mean())


def test_each_path_goes_on_from_the_one_it_follows(spoken: dict[str, Spoken]) -> None:
    after: list[Array] = []
    for first in (LEFT, RIGHT):
        alone = begun(spoken["question"], 2)
        alone.read([START])
        alone.say([first])
        after.append(alone.say([NEXT])[0])
    both = begun(spoken["question"], 2)
    both.read([START])
    both.follow([0, 0])
    both.say([LEFT, RIGHT])
    both.follow([1, 0])
    right, left = both.say([NEXT, NEXT])
    apart = far(after[0], after[1])
    assert far(left, after[0]) < apart / 3
    assert far(right, after[1]) < apart / 3


def test_what_is_forgotten_has_no_effect(spoken: dict[str, Spoken]) -> None:
    plain, back, astray = (begun(spoken["question"], 1) for _ in range(3))
    plain.read([START])
    for decoding in (back, astray):
        decoding.read([START, RIGHT, RIGHT, RIGHT])
    back.forget(1)
    expected = plain.say([LEFT])
    assert far(back.say([LEFT]), expected) < far(astray.say([LEFT]), expected) / 4
