// Shows one meeting as it happens, or the list of meetings. Text is only ever set as text, never as markup.
import { Refused, call, follow } from "/page/events.js";

const $ = (id) => document.getElementById(id);
const STORE = "roomscribe.key";
const FORMATS = ["txt", "md", "vtt", "srt", "csv", "docx", "json"];
const GAPS = { buffer_full: "the machine was too slow", audio_lost: "audio was lost", agent_lost: "the agent was away", stt_failed: "recognition failed" };
const ENDS = { requested: "as asked", room_closed: "the room closed", empty_room: "everybody left", agent_lost: "the agent was lost" };

function make(tag, text, attributes = {}) {
  const element = document.createElement(tag);
  if (text) element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

function clock(ms) {
  const seconds = Math.floor(ms / 1000);
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return parts.map((part) => String(part).padStart(2, "0")).join(":").replace(/^00:/, "");
}

// ---- the transcript: one entry per segment or gap, in order of start_ms, highest revision shown
const entries = new Map();
const saying = new Map();

function nameOf(segment) {
  return segment.speaker.label || segment.participant.name || segment.participant.identity;
}

function place(id, startMs, revision, line) {
  const known = entries.get(id);
  if (known && known.revision >= revision) return;
  if (known) known.line.remove();
  line.dataset.start = startMs;
  const lines = $("lines");
  let next = null;
  for (let last = lines.lastElementChild; last && Number(last.dataset.start) > startMs; last = last.previousElementSibling) next = last;
  lines.insertBefore(line, next);
  entries.set(id, { revision, line });
  mark(line);
  if (line.nextElementSibling) mark(line.nextElementSibling);
  $("talk-note").hidden = true;
}

function mark(line) {
  const before = line.previousElementSibling;
  line.classList.toggle("same", Boolean(before && line.dataset.who && before.dataset.who === line.dataset.who));
}

function row(tag, segment) {
  const line = make(tag);
  const said = make("div");
  said.append(make("span", nameOf(segment), { class: "who" }), make("p", segment.text, { class: "words", lang: segment.language }));
  line.append(make("time", clock(segment.start_ms)), said);
  return line;
}

function onFinal(segment) {
  const line = row("li", segment);
  line.id = `s-${segment.segment_id}`;
  line.dataset.who = segment.speaker.id;
  keepAtEnd(() => {
    place(segment.segment_id, segment.start_ms, segment.revision, line);
    hush(segment.segment_id);
  });
}

function onGap(gap) {
  const line = make("li", null, { class: "gap" });
  const who = gap.participant.name || gap.participant.identity;
  const seconds = ((gap.end_ms - gap.start_ms) / 1000).toFixed(1);
  line.append(make("time", clock(gap.start_ms)), make("p", `${seconds} s of ${who} are missing: ${GAPS[gap.reason] || gap.reason}.`, { class: "words" }));
  keepAtEnd(() => {
    place(gap.gap_id, gap.start_ms, 1, line);
    hush(gap.segment_id);
  });
}

function onInterim(segment) {
  if (entries.has(segment.segment_id)) return;
  if (!segment.text) return hush(segment.segment_id);
  keepAtEnd(() => {
    const line = make("p");
    const said = make("span");
    said.append(make("span", nameOf(segment), { class: "who" }), make("span", segment.text, { class: "words" }));
    line.append(make("span", clock(segment.start_ms), { class: "at" }), said);
    const known = saying.get(segment.segment_id);
    if (known) known.replaceWith(line);
    else $("saying").append(line);
    saying.set(segment.segment_id, line);
    $("talk-note").hidden = true;
  });
}

function hush(id) {
  saying.get(id)?.remove();
  saying.delete(id);
}

// Follows the talk only while the reader is at its end.
function keepAtEnd(change) {
  const talk = document.querySelector(".talk");
  const below = () => talk.getBoundingClientRect().bottom - window.innerHeight;
  const atEnd = below() < 120;
  change();
  if (atEnd && below() > 0 && state !== "ended") talk.scrollIntoView({ block: "end" });
}

// ---- who is there
const people = new Map();

function onPerson(data, here) {
  const known = people.get(data.participant_sid) || { here: true, muted: false };
  people.set(data.participant_sid, { ...known, ...data.participant, kind: data.kind || known.kind, here: here ?? known.here, muted: data.muted ?? known.muted });
  drawPeople();
}

function drawPeople() {
  const byIdentity = new Map();
  for (const person of people.values()) {
    const before = byIdentity.get(person.identity);
    if (!before || person.here || !before.here) byIdentity.set(person.identity, person);
  }
  const shown = [...byIdentity.values()].filter((person) => person.kind !== "agent");
  $("people").replaceChildren(...shown.map((person) => {
    const item = make("li", null, { class: person.here ? "here" : "away" });
    item.append(make("span", person.name || person.identity));
    const note = person.here ? (person.muted ? "muted" : "") : "left";
    if (note) item.append(make("small", note));
    return item;
  }));
  $("people-note").hidden = shown.length > 0;
}

// ---- minutes
const PARTS = [["summary", "Summary"], ["decisions", "Decisions"], ["action_items", "Action items"], ["open_questions", "Open questions"], ["topics", "Topics"]];

function onMinutes(minutes) {
  $("minutes").hidden = false;
  $("minutes-method").textContent = minutes.method === "extractive" ? "Sentences taken from the transcript by rule; no model was asked." : `Written by ${minutes.model || "a model"}.`;
  const parts = PARTS.filter(([name]) => minutes[name]?.length).flatMap(([name, title]) => {
    const list = make("ul");
    list.append(...minutes[name].map(statement));
    return [make("h3", title), list];
  });
  $("minutes-parts").replaceChildren(...parts);
}

function statement(item) {
  const line = make("li");
  const owed = [item.owner, item.due].filter(Boolean).join(", ");
  line.append(make("span", owed ? `${item.text} (${owed})` : item.text));
  item.segment_ids.forEach((id, index) => {
    const start = entries.get(id)?.line.querySelector("time")?.textContent;
    const link = make("a", start || `[${index + 1}]`, { class: "cite", href: `#s-${id}`, "aria-label": `Said at ${start || "segment " + (index + 1)}` });
    line.append(link);
  });
  return line;
}

// ---- the meeting itself
let state = "";

function setState(next, why = "") {
  // Events of different streams may overtake each other: a meeting that is over stays so.
  if (["ended", "failed"].includes(state) && !["ended", "failed"].includes(next)) return;
  state = next;
  $("state").textContent = next;
  $("state").dataset.state = next;
  if (why) $("facts").textContent = why;
  if (next === "ended" || next === "failed") {
    $("talk-note").textContent = "Nothing was said.";
    $("people-title").textContent = "Who was there";
  }
}

function onMeeting(name, data) {
  if (name === "meeting.requested") {
    $("title").textContent = data.title || data.room;
    document.title = `${data.title || data.room} · Roomscribe`;
    $("facts").textContent = data.title ? `Room ${data.room}` : "";
    if (!state) setState(data.started_at ? "dispatching" : "scheduled");
  } else if (name === "meeting.started") {
    setState("live", `Room ${data.room}, since ${new Date(data.started_at).toLocaleTimeString()}`);
  } else if (name === "meeting.ended") {
    setState("ended", `Room ${data.room}, until ${new Date(data.ended_at).toLocaleTimeString()}: ${ENDS[data.reason] || data.reason}`);
    $("saying").replaceChildren();
  } else if (name === "meeting.failed") {
    setState("failed");
    $("problem").textContent = data.detail || data.reason;
  }
}

const HANDLERS = {
  "transcript.final": onFinal,
  "transcript.revised": onFinal,
  "transcript.interim": onInterim,
  "transcript.gap": onGap,
  "meeting.participant_joined": (data) => onPerson(data, true),
  "meeting.participant_left": (data) => onPerson(data, false),
  "meeting.participant_renamed": (data) => onPerson(data),
  "meeting.participant_muted": (data) => onPerson(data),
  "insight.minutes": onMinutes,
};

function onEvent(name, data) {
  try {
    if (HANDLERS[name]) HANDLERS[name](data);
    else onMeeting(name, data);
  } catch (error) {
    // One event that cannot be shown must not end the stream.
    console.error(name, error);
  }
}

async function showMeeting(key, id) {
  $("meeting").hidden = false;
  $("title").textContent = id;
  const path = `/v1/meetings/${encodeURIComponent(id)}`;
  $("files").hidden = false;
  $("formats").replaceChildren(...FORMATS.map((format) => {
    const button = make("button", format, { type: "button", "aria-label": `Transcript as ${format}` });
    button.addEventListener("click", () => save(key, `${path}/transcript?format=${format}`, `${id}.${format}`));
    return button;
  }));
  await follow(key, `${path}/events`, { event: onEvent, state: (text) => { $("connection").textContent = text; } });
}

async function save(key, path, name) {
  try {
    const url = URL.createObjectURL(await (await call(key, path)).blob());
    const link = make("a", null, { href: url, download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
  } catch (error) {
    $("problem").textContent = error.message;
  }
}

async function showList(key) {
  const page = await (await call(key, "/v1/meetings?limit=100")).json();
  $("list").hidden = false;
  $("meetings").replaceChildren(...page.meetings.map((meeting) => {
    const item = make("li");
    const link = make("a", null, { href: meeting.links.page });
    link.append(make("span", meeting.title || meeting.room), make("span", meeting.state, { class: "state", "data-state": meeting.state }));
    item.append(link);
    return item;
  }));
  if (!page.meetings.length) $("list-note").textContent = "No meeting yet. Open one with POST /v1/meetings.";
}

// ---- the key: from the address's fragment (which browsers never send), or typed in; kept for this tab
function keyFromAddress() {
  const given = new URLSearchParams(location.hash.slice(1)).get("key");
  if (given) {
    sessionStorage.setItem(STORE, given);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem(STORE);
}

function askForKey(why = "") {
  $("meeting").hidden = true;
  $("list").hidden = true;
  $("sign-in").hidden = false;
  $("key-problem").textContent = why;
  $("connection").textContent = "";
  $("key").focus();
}

async function start() {
  const key = keyFromAddress();
  if (!key) return askForKey();
  $("sign-in").hidden = true;
  const id = decodeURIComponent(location.pathname.match(/^\/meetings\/([^/]+)$/)?.[1] || "");
  try {
    await (id ? showMeeting(key, id) : showList(key));
  } catch (error) {
    if (error instanceof Refused && error.status === 401) {
      sessionStorage.removeItem(STORE);
      return askForKey(error.message);
    }
    $("meeting").hidden = false;
    $("state").hidden = !state;
    document.querySelector(".columns").hidden = !state;
    $("connection").textContent = "";
    $("problem").textContent = error.message;
  }
}

$("key-form").addEventListener("submit", (submitted) => {
  submitted.preventDefault();
  sessionStorage.setItem(STORE, $("key").value.trim());
  start();
});
start();
