"""The speech model by itself, as a process of its own: so many threads, each decoding one line after the other.

Reads `Order` lines from standard input, writes a `Decoded` line for each.
"""

import itertools
import sys
import threading
import time

import numpy as np
from pydantic import BaseModel
from roomscribe_cli.demo.script import Script, clip
from roomscribe_stt_worker.engines.moonshine import Moonshine
from roomscribe_stt_worker.engines.protocol import SAMPLE_RATE_HZ, Clip


class Order(BaseModel):
    """Decode for `seconds` on as many `threads`."""

    threads: int
    seconds: float


class Decoded(BaseModel):
    """Seconds of audio a second of all threads together, and CPU seconds of the process for a second of audio."""

    audio_s_per_s: float
    cpu_s_per_audio_s: float


def lines() -> list[Clip]:
    """The demonstration's lines, as they are decoded for a final."""
    files = [line.file for line in Script.load().lines]
    return [Clip(clip(file, SAMPLE_RATE_HZ).astype(np.float32) / np.float32(32768), thorough=True) for file in files]


def _decode(
    engine: Moonshine, spoken: list[Clip], first: int, seconds: float, rates: list[float], done: list[float]
) -> None:
    """Appends what one thread came to: seconds of audio a second until its last clip was done, and their sum."""
    began, audio_s = time.monotonic(), 0.0
    for each in itertools.cycle(spoken[first:] + spoken[:first]):
        engine.transcribe([each])
        audio_s += each.duration_s
        if (took := time.monotonic() - began) > seconds:
            rates.append(audio_s / took)
            done.append(audio_s)
            return


def main() -> None:
    """Obeys until the end of its input."""
    engine, spoken = Moonshine(), lines()
    engine.transcribe(spoken[:1])
    for line in sys.stdin:
        order = Order.model_validate_json(line)
        rates, done, cpu = list[float](), list[float](), time.process_time()
        threads = [
            threading.Thread(target=_decode, args=(engine, spoken, number, order.seconds, rates, done))
            for number in range(order.threads)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        cpu = time.process_time() - cpu
        answer = Decoded(audio_s_per_s=sum(rates), cpu_s_per_audio_s=cpu / sum(done))
        print(answer.model_dump_json(), flush=True)


if __name__ == "__main__":
    main()
