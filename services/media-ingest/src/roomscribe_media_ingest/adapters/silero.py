"""Silero VAD on onnxruntime: one session a process, one state a track."""

from importlib import resources
from typing import Any, cast

import numpy as np
import onnxruntime  # pyright: ignore[reportMissingTypeStubs]  # ships none
from numpy.typing import NDArray

from roomscribe_media_ingest.domain.config import WINDOW

MODEL = "silero_vad_16k_sequence.onnx"
CONTEXT = 64
"""Samples of the window before that the model wants in front of each window."""

Floats = NDArray[np.float32]


class SileroVad:
    """The model. Loading takes some 30 ms and 10 MB, so share one between all tracks of a process."""

    def __init__(self) -> None:
        runtime = cast(Any, onnxruntime)
        options = runtime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False
        options.log_severity_level = 3
        model = resources.files("roomscribe_media_ingest").joinpath("assets", MODEL).read_bytes()
        self._session = runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def track(self) -> "TrackVad":
        """The model's memory of one track."""
        return TrackVad(self)

    def run(self, windows: Floats, h: Floats, c: Floats) -> tuple[Floats, Floats, Floats]:
        """Probabilities [n] of the windows [n, `CONTEXT` + `WINDOW`], and the state behind them."""
        feeds = {"input": windows, "h": h, "c": c}
        return cast(tuple[Floats, Floats, Floats], self._session.run(["speech_probs", "hn", "cn"], feeds))


class TrackVad:
    """Judges one track's windows in order."""

    def __init__(self, model: SileroVad) -> None:
        self._model = model
        self.reset()

    def reset(self) -> None:
        """Forgets what was heard."""
        self._h = np.zeros((1, 1, 128), np.float32)
        self._c = np.zeros((1, 1, 128), np.float32)
        self._context = np.zeros(CONTEXT, np.float32)

    def probabilities(self, samples: Floats) -> list[float]:
        """How likely each window holds speech; `samples` in ±1, a whole number of windows."""
        fresh = samples.reshape(-1, WINDOW)
        windows = np.empty((len(fresh), CONTEXT + WINDOW), np.float32)
        windows[:, CONTEXT:] = fresh
        windows[0, :CONTEXT] = self._context
        windows[1:, :CONTEXT] = fresh[:-1, -CONTEXT:]
        self._context = fresh[-1, -CONTEXT:]
        found, self._h, self._c = self._model.run(windows, self._h, self._c)
        return [float(p) for p in found]
