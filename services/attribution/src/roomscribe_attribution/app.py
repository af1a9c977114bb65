"""The composition root: what is built, and what it listens to."""

from typing import Final

from roomscribe_common.contracts.meeting import MeetingEnded
from roomscribe_common.contracts.stt import SttFinal, SttGap, SttInterim
from roomscribe_common.contracts.transcript import TranscriptFinal
from roomscribe_common.service import Service
from roomscribe_common.subjects import wildcard

from roomscribe_attribution.adapters.numbering import Numbering
from roomscribe_attribution.adapters.results import Results
from roomscribe_attribution.domain import ShownInterims, Waiting
from roomscribe_attribution.handlers import Attribution, Completion
from roomscribe_attribution.settings import AttributionSettings

RESULTS: Final = "attribution-stt-results"
MEETINGS: Final = "attribution-meetings"
_AT_ONCE: Final = 8


async def build(service: Service[AttributionSettings]) -> None:
    """Wires attribution to the bus."""
    settings = service.settings
    # Finals and gaps of a meeting are two subjects.
    numbering = Numbering(service.nc, service.bus, 2 * settings.attribution_meetings_cached)
    attribution = Attribution(service.bus, numbering, ShownInterims())
    waiting = Waiting(settings.attribution_completion_wait_s)
    completion = Completion(service.bus, numbering, Results(service.nc, service.js), waiting)
    service.consume(RESULTS, attribution.final, SttFinal, concurrency=_AT_ONCE)
    service.consume(RESULTS, attribution.gap, SttGap, concurrency=_AT_ONCE)
    service.consume(MEETINGS, completion.ended, MeetingEnded, concurrency=2)
    service.subscribe(wildcard(SttInterim), attribution.interim, SttInterim, queue=service.name)
    service.subscribe(wildcard(TranscriptFinal), attribution.published, TranscriptFinal)
