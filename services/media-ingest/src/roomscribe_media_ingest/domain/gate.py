"""The energy gate: lets the model rest while a microphone is silent."""

from collections.abc import Iterable

from roomscribe_media_ingest.domain.config import AudioConfig, windows

RISE_DB = 0.032
"""How fast the idea of the room's noise rises, per window (1 dB/s): slower than any word, so speech stays above it."""


class EnergyGate:
    """Open while there is a sound above the room's noise, and for a while after. A loud start opens it at once."""

    def __init__(self, config: AudioConfig) -> None:
        self._level_db = config.gate_level_db
        self._margin_db = config.gate_margin_db
        self._hold = windows(config.gate_hold_ms)
        self._noise_db = config.gate_level_db
        self._left = 0

    def is_open(self, levels_db: Iterable[float], heard_speech: bool) -> bool:
        """Takes the levels of the next windows, and whether speech was heard just now, which holds the gate open."""
        if heard_speech:
            self._left = self._hold
        for level_db in levels_db:
            if level_db > max(self._level_db, self._noise_db + self._margin_db):
                self._left = self._hold
            elif self._left > 0:
                self._left -= 1
            self._noise_db = min(self._noise_db + RISE_DB, max(level_db, self._level_db))
        return self._left > 0
