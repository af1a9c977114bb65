"""The composition root of the summarizer."""

from roomscribe_common.contracts.transcript import TranscriptCompleted
from roomscribe_common.service import Service

from roomscribe_summarizer.adapters.transcripts import Transcripts
from roomscribe_summarizer.engines.extractive import ExtractiveEngine
from roomscribe_summarizer.engines.protocol import Engine
from roomscribe_summarizer.handlers import Summarizer
from roomscribe_summarizer.settings import Settings

NAME = "summarizer"


async def build(service: Service[Settings]) -> None:
    """Builds and subscribes."""
    transcripts = Transcripts(service.nc, service.js)
    summarizer = Summarizer(transcripts, make_engine(service.settings), service.publish, service.source)
    service.consume("summarizer-transcripts", summarizer.on_completed, TranscriptCompleted, concurrency=2)


def make_engine(settings: Settings) -> Engine:
    """The engine the settings ask for. pydantic-ai takes a second to import, so only where a model is set."""
    if settings.summarizer_model is None:
        return ExtractiveEngine()
    from roomscribe_summarizer.adapters.models import make_model
    from roomscribe_summarizer.engines.fallback import WithFallback
    from roomscribe_summarizer.engines.model import Limits, ModelEngine

    limits = Limits(
        chunk_chars=settings.summarizer_chunk_chars,
        chunks=settings.summarizer_chunks,
        attempts=settings.summarizer_attempts,
        run_timeout_s=settings.summarizer_run_timeout_s,
        timeout_s=settings.summarizer_timeout_s,
    )
    model = make_model(settings.summarizer_model, settings)
    return WithFallback(ModelEngine(model, settings.summarizer_output, limits), ExtractiveEngine())
