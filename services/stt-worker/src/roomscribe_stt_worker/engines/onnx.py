"""A typed front to one onnxruntime session: arrays in, arrays out, one thread."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnxruntime  # pyright: ignore[reportMissingTypeStubs]  # ships no types
from numpy.typing import NDArray

Array = NDArray[Any]


class OnnxModel:
    """A loaded model. `run` may be called from several threads at once; each call computes on its caller's thread."""

    def __init__(self, path: Path) -> None:
        """Raises `FileNotFoundError`."""
        if not path.is_file():
            raise FileNotFoundError(f"no model at {path}")
        options = cast(Any, onnxruntime).SessionOptions()
        # One thread a call: two spin waiting for each other, and cost more time than they save on these models.
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        # The arena keeps the largest utterance ever seen; without it the speed is the same.
        options.enable_cpu_mem_arena = False
        options.log_severity_level = 3
        # ONNX Runtime has no types, so what comes from it is Any up to here.
        self._session: Any = cast(Any, onnxruntime).InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        self.output_names: list[str] = [str(output.name) for output in self._session.get_outputs()]

    def run(self, outputs: Sequence[str], feeds: Mapping[str, Array]) -> dict[str, Array]:
        """The named outputs for these inputs."""
        values = cast(list[Array], self._session.run(list(outputs), dict(feeds)))
        return dict(zip(outputs, (np.asarray(value) for value in values), strict=True))
