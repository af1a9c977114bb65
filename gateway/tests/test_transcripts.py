"""Exports over HTTP, minutes and usage."""

import io
import zipfile

import pytest
from docx import Document
from roomscribe_common.bus import Bus
from roomscribe_common.contracts.commands import GetMeetingUsage, GetPeriodUsage, MeetingTotals, PeriodUsage
from roomscribe_common.contracts.usage import MeetingUsageData
from roomscribe_common.subjects import MEETING_USAGE, PERIOD_USAGE

from .conftest import Gateway, Until
from .meetings import (
    Publisher,
    completed,
    final,
    gap,
    ledger,
    minutes,
    requested,
    revised,
    started,
    used,
    whole_meeting,
)


async def test_the_json_transcript_has_the_current_revisions_by_start_and_the_gaps(
    gateway: Gateway, publisher: Publisher, until: Until
) -> None:
    await publisher(requested("m1"), started("m1"), final("m1", 2), final("m1", 1, "Gud morning."), gap("m1", 1, 4000))
    await publisher(revised("m1", 1, "Good morning!"), revised("m1", 1, "Best morning.", 3), revised("m1", 1, "x", 2))
    path = "/v1/meetings/m1/transcript"
    found = (await until.get(gateway.client, path, lambda r: "Best morning." in r.text)).json()
    texts = [(segment["sequence"], segment["text"], segment["revision"]) for segment in found["segments"]]
    assert texts == [(1, "Best morning.", 3), (2, "Good morning.", 1)]
    assert [one["gap_id"] for one in found["gaps"]] == ["gap_1"]
    head = {key: found[key] for key in ("meeting_id", "room", "title", "started_at", "state", "complete")}
    assert head == {
        "meeting_id": "m1",
        "room": "planning",
        "title": "Sprint planning",
        "started_at": "2026-11-22T10:00:00.123000Z",
        "state": "live",
        "complete": False,
    }
    await publisher(completed("m1", 2))
    await until.get(gateway.client, path, lambda r: bool(r.json()["complete"]))


@pytest.mark.parametrize(
    ("format", "kind", "begin"),
    [
        ("txt", "text/plain", "Sprint planning\n"),
        ("md", "text/markdown", "# Sprint planning\n"),
        ("vtt", "text/vtt", "WEBVTT"),
        ("srt", "application/x-subrip", "1\n00:00:01,000 --> 00:00:01,900\nAda Lovelace: Good"),
        ("csv", "text/csv", "kind,sequence,"),
    ],
)
async def test_a_transcript_comes_in_every_text_format(
    gateway: Gateway, publisher: Publisher, until: Until, format: str, kind: str, begin: str
) -> None:
    await publisher(*whole_meeting("m1"))
    await until.get(gateway.client, "/v1/meetings/m1/transcript", lambda r: len(r.json().get("segments", [])) == 2)
    response = await gateway.client.get(f"/v1/meetings/m1/transcript?format={format}")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith(kind)
    assert f'filename="m1.{format}"' in response.headers["content-disposition"]
    assert response.text.startswith(begin)
    assert "We ship on Friday." in response.text


async def test_a_transcript_comes_as_a_word_file(gateway: Gateway, publisher: Publisher, until: Until) -> None:
    await publisher(requested("m1"), final("m1", 1, "Bell \x07 and NUL \x00 and <b>."), gap("m1", 1, 9000))
    await until.get(gateway.client, "/v1/meetings/m1/transcript", lambda r: len(r.json().get("gaps", [])) == 1)
    response = await gateway.client.get("/v1/meetings/m1/transcript?format=docx")
    assert response.headers["content-type"].endswith("wordprocessingml.document")
    assert zipfile.is_zipfile(io.BytesIO(response.content))
    text = "\n".join(paragraph.text for paragraph in Document(io.BytesIO(response.content)).paragraphs)
    assert "Ada Lovelace: Bell and NUL and <b>." in text
    assert "Speech of Ada Lovelace is missing (agent lost)." in text


async def test_minutes_are_there_once_written_and_404_says_what_they_wait_for(
    gateway: Gateway, publisher: Publisher, until: Until
) -> None:
    await publisher(requested("m1"), started("m1"))
    await until.get(gateway.client, "/v1/meetings/m1", lambda r: r.json()["state"] == "live")
    response = await gateway.client.get("/v1/meetings/m1/minutes")
    assert response.status_code == 404
    assert response.json()["detail"].startswith("Not yet: the meeting is live.")
    await publisher(minutes("m1"))
    found = await until.get(gateway.client, "/v1/meetings/m1/minutes", lambda r: r.status_code == 200)
    assert found.json()["decisions"] == [{"text": "Ship on Friday.", "segment_ids": ["utt_2"]}]


async def test_usage_is_asked_of_metering(gateway: Gateway, publisher: Publisher, bus: Bus) -> None:
    asked: list[tuple[str, ...]] = []

    async def meeting(command: GetMeetingUsage) -> MeetingUsageData:
        asked.append((command.tenant, command.meeting_id))
        return ledger("m1", "now")

    async def period(command: GetPeriodUsage) -> PeriodUsage:
        asked.append((command.tenant, command.period, command.after or ""))
        one = MeetingTotals(meeting_id="m1", room="planning", closed=True, totals={})
        return PeriodUsage(tenant=command.tenant, period=command.period, totals={}, meetings=[one], next_cursor="m1")

    await bus.reply(MEETING_USAGE, meeting, GetMeetingUsage)
    await bus.reply(PERIOD_USAGE, period, GetPeriodUsage)
    await bus.nc.flush()
    await publisher(requested("m1"))
    assert (await gateway.client.get("/v1/meetings/m1/usage")).json()["digest"] == "now"
    month = (await gateway.client.get("/v1/usage?period=2026-11")).json()
    assert (month["meetings"][0]["meeting_id"], month["next_cursor"]) == ("m1", "m1")
    assert (await gateway.client.get("/v1/usage?period=2026-11&cursor=m1")).status_code == 200
    assert asked == [("acme", "m1"), ("acme", "2026-11", ""), ("acme", "2026-11", "m1")]


async def test_while_metering_is_away_the_ledger_is_as_it_was_last_told(
    gateway: Gateway, publisher: Publisher, until: Until
) -> None:
    await publisher(requested("m1"))
    response = await gateway.client.get("/v1/meetings/m1/usage")
    assert (response.status_code, response.headers["retry-after"]) == (503, "2")
    await publisher(used("m1"))
    found = await until.get(gateway.client, "/v1/meetings/m1/usage", lambda r: r.status_code == 200)
    assert found.json()["totals"] == {"agent_session_minutes": "5"}
