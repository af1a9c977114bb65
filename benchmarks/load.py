"""What ran at a number of rooms or people, and what it took."""

from pydantic import BaseModel, field_serializer

from benchmarks.stack import EDGE, SERVERS


class Load(BaseModel):
    """Processors taken and memory, by process; all rooms together are `rooms`."""

    count: int
    cores: dict[str, float]
    memory_mb: dict[str, float]
    idle_percent: float = 100.0
    """Of the whole machine meanwhile. Where nothing is idle, people speak late and processes get what is left."""

    @field_serializer("cores", "memory_mb")
    def _rounded(self, figures: dict[str, float]) -> dict[str, float]:
        return {name: round(value, 3) for name, value in figures.items()}

    def our_cores(self) -> float:
        """Of the six services: neither the servers nor the edge."""
        return _ours(self.cores)

    def our_memory_mb(self) -> float:
        """The same for memory."""
        return _ours(self.memory_mb)


def _ours(figures: dict[str, float]) -> float:
    return sum(value for name, value in figures.items() if name not in {*SERVERS, EDGE})
