"""Several takes of the same speech, decoded as one by beam search: for words that stay.

A small model's greedy decode is unstable: a little silence in front changes words. So the decoder hears a slower and a
faster take side by side and says, token by token, what both find likely. Mistakes differ between takes, words do not.

Measured on 547 utterances (38 minutes, through Opus; four synthetic voices and 13 readings; clean, far away, noisy, 2 %
of packets lost), word error rates in percent on the half that chose the settings, on the other half, and CPU time:

| greedy, one take | 7.4 | 8.0 | 1 |
| these takes, greedy | 5.7 | 7.2 | 1.6 |
| these takes and a beam of two: what is done | 4.7 | 5.6 | 2.0 |
| a beam of three on one take | 6.8 | | 1.5 |
| the clip beside itself 250 ms later, greedy; with a beam of two | 6.2; 5.2 | | 1.5; 1.9 |
| three takes, tempos 0.94, 1, 1.06, greedy | 5.9 | | 2.2 |
| loudness brought to one peak | 7.0 to 7.4 | | 1 |

With a draft it is 5.6 as well. Of 76 noises without a voice two were believed, three before.
"""

import numpy as np
from numpy.typing import NDArray

from roomscribe_stt_worker.engines.onnx import Array
from roomscribe_stt_worker.engines.protocol import Clip

Samples = NDArray[np.float32]

TEMPOS = (0.95, 1.05)
"""Slower and lower, faster and higher: little enough to stay natural, enough to be misheard in other places."""


def takes(clip: Clip) -> list[Samples]:
    """What to decode for a clip: its samples as they are, or of a thorough one as many takes as there are tempos.

    Takes of one clip are equally long, padded with silence.
    """
    if not clip.thorough:
        return [clip.samples]
    varied = [_at_tempo(clip.samples, tempo) for tempo in TEMPOS]
    longest = max(map(len, varied))
    return [np.pad(take, (0, longest - len(take))) for take in varied]


def agreed(logits: Array, count: int) -> Array:
    """Log-probabilities [clips, …, vocabulary] from logits [clips * count, …, vocabulary]: the mean of each clip's."""
    top = logits.max(axis=-1, keepdims=True)
    logs = logits - top
    logs -= np.log(np.exp(logs).sum(axis=-1, keepdims=True))
    return logs if count == 1 else logs.reshape(-1, count, *logs.shape[1:]).mean(axis=1)


def _at_tempo(samples: Samples, tempo: float) -> Samples:
    at = np.arange(int(len(samples) / tempo)) * tempo
    return np.interp(at, np.arange(len(samples)), samples).astype(np.float32) if len(at) else samples
