"""Sentences people really say, and what each is taken for."""

import pytest
from roomscribe_summarizer.engines.extractive import extract
from roomscribe_summarizer.engines.rules.due import due_in
from roomscribe_summarizer.engines.rules.sentences import sentences

from .spoken import asked, decided, tasks, transcript


@pytest.mark.parametrize(
    "said",
    [
        "We decided to postpone the release.",
        "So we've agreed to meet every Tuesday from now on.",
        "Okay, let's go with option B.",
        "Let's stick with the current vendor for now.",
        "Right, the decision is to hire one more designer.",
        "We'll go with the blue theme.",
        "We're going with Postgres.",
        "Agreed, we ship on the fifteenth.",
        "Let’s use the shared calendar for that.",
        "Lets push the deadline to March.",
        "Let's not launch before the holidays.",
        "It's decided, we drop Internet Explorer.",
    ],
)
def test_a_decision(said: str) -> None:
    assert [text for text, _ in decided(f"Anna: {said}")] == [said]


@pytest.mark.parametrize(
    "said",
    [
        "We haven't decided on the vendor yet.",
        "Have we decided on the vendor?",
        "We need to decide on the vendor.",
        "They decided to leave.",
        "If we decide to move, we need boxes.",
        "Before we agreed on that, it was chaos.",
        "Let's get started.",
        "Let's see what happens.",
        "Let's move on.",
        "Let's talk about the budget.",
        "Let's keep going.",
        "Let's call it a day.",
        "We agreed to disagree.",
        "I agree.",
        "Agreed.",
        "Nothing was decided.",
    ],
)
def test_no_decision(said: str) -> None:
    assert decided(f"Anna: {said}") == []


def test_agreeing_to_somebody_elses_proposal_decides_it_and_to_ones_own_does_not() -> None:
    assert decided("Anna: How about we meet on Mondays?\nBo: Works for me.") == [
        ("How about we meet on Mondays?", "s1 s2")
    ]
    assert decided("Anna: How about we meet on Mondays?\nAnna: Works for me.") == []


def test_a_refusal_in_between_undoes_a_proposal() -> None:
    assert decided("Anna: How about we meet on Mondays?\nCarla: No, I'm out.\nBo: Sounds good.") == []


@pytest.mark.parametrize(
    ("said", "owner", "due"),
    [
        ("I'll send the minutes around by Monday.", "Anna", "by Monday"),
        ("I’ll draft the proposal tonight.", "Anna", "tonight"),
        ("I will follow up with the client next week.", "Anna", "next week"),
        ("I am going to write the tests this afternoon.", "Anna", "this afternoon"),
        ("Okay, I can set up the meeting room.", "Anna", None),
        ("I'll try to finish the slides by the end of the week.", "Anna", "by the end of the week"),
        ("Bo will review the contract by March 3rd.", "Bo", "by March 3rd"),
        ("Bo, please book the flights today.", "Bo", "today"),
        ("Bo to prepare the demo.", "Bo", None),
        ("So Bo needs to fix the login bug before the demo.", "Bo", "before the demo"),
        ("Someone should check the backups.", None, None),
        ("We have to renew the certificate by the 15th.", None, "by the 15th"),
        ("Action item: update the onboarding guide.", None, None),
    ],
)
def test_an_action_item(said: str, owner: str | None, due: str | None) -> None:
    assert tasks(f"Anna: {said}\nBo: Hm, the weather is nice.") == [(said, owner, due)]


def test_a_first_name_or_a_whole_name_is_the_person_of_the_roster() -> None:
    for name in ("Bo", "Bo Larsen", "bo larsen"):
        said = f"{name} will call the agency on Wednesday."
        assert tasks(f"Anna: {said}\nBo Larsen: Hm.") == [(said, "Bo Larsen", "on Wednesday")]


@pytest.mark.parametrize(
    "said",
    [
        "I'll be honest, that was hard.",
        "I will not send anything.",
        "I won't do the report.",
        "I can't fix that today.",
        "I'll say it again.",
        "I can see your screen.",
        "I'll share my screen.",
        "I think I will like it.",
        "If I send the report, nobody reads it.",
        "I would have sent the report.",
        "He said he will send the report.",
        "Can you hear me?",
        "Can you see my screen, Bo?",
        "Bo was right about the budget.",
        "Bo should know.",
        "I wish I could write that well.",
        "I'll let you go.",
        "I will be late on Monday.",
    ],
)
def test_no_action_item(said: str) -> None:
    assert tasks(f"Anna: {said}\nBo: Hm, the weather is nice.") == []


def test_a_request_is_of_whom_it_names_unless_they_decline() -> None:
    assert tasks("Anna: Can you send the deck, Bo?") == []  # nobody of that name is here
    assert tasks("Anna: Can you send the deck, Bo?\nBo: Hm.") == [("Can you send the deck, Bo?", "Bo", None)]
    assert tasks("Anna: Can you send the deck, Bo?\nBo: Sorry, I am out tomorrow.") == []


def test_a_request_to_nobody_in_particular_is_of_whoever_takes_it() -> None:
    taken = "Anna: Could someone write the summary by Friday?\nBo: Hm.\nCarla: Sure."
    assert tasks("Anna: Could someone write the summary?\nBo: The weather is nice.") == []
    assert tasks(taken.replace("Bo: Hm.\n", "")) == [
        ("Could someone write the summary by Friday?", "Carla", "by Friday")
    ]


def test_an_offer_that_refers_back_is_told_with_what_it_refers_to() -> None:
    assert tasks("Bo: The report has two errors.\nAnna: I'll fix them today.") == [
        ("The report has two errors. I'll fix them today.", "Anna", "today")
    ]
    assert tasks("Bo: I like long walks.\nAnna: I'll do that.") == []


def test_a_first_name_two_people_share_belongs_to_neither() -> None:
    found = tasks("Anna Berg: Hello there.\nAnna Lund: Hi.\nBo: Anna will write the report.")
    assert found == []


@pytest.mark.parametrize(
    "said",
    [
        "Anna: Who owns the deployment scripts?",
        "Anna: Who owns the deployment scripts?\nBo: Good question.",
        "Anna: Who owns the deployment scripts?\nBo: I don't know, let me check.",
        "Anna: Who owns the deployment scripts? I have no idea.\nBo: Me neither.",
        "Anna: Who owns the deployment scripts?\nBo: That stays open until next week.",
        "Anna: Who owns the deployment scripts?\nBo: Let us leave that open for now.",
    ],
)
def test_an_unanswered_question_is_open(said: str) -> None:
    assert asked(said) == ["Who owns the deployment scripts?"]


@pytest.mark.parametrize(
    "said",
    [
        "One open question is the licence of the fonts.",
        "We still need to find a venue.",
        "It's still unclear who pays for the hosting.",
        "We don't know yet whether the vendor accepts.",
        "We haven't decided on the venue.",
    ],
)
def test_what_is_said_to_be_open_is_an_open_question(said: str) -> None:
    assert asked(f"Anna: {said}\nBo: Hm.") == [said]


@pytest.mark.parametrize(
    "said",
    [
        "Anna: Who owns the deployment scripts?\nBo: That is the platform team.",
        "Anna: Can everyone hear me?",
        "Anna: Any questions about the budget?",
        "Anna: Does that make sense to everyone here?",
        "Anna: That is the new deployment script, right?",
        "Anna: There are no open questions about the budget.",
        "Anna: Shall we start with the budget?",
        "Anna: Really?",
    ],
)
def test_no_open_question(said: str) -> None:
    assert asked(said) == []


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("send it by tomorrow at noon", "by tomorrow at noon"),
        ("done by end of day", "by end of day"),
        ("within two weeks", "within two weeks"),
        ("in three days", "in three days"),
        ("before the next release", "before the next release"),
        ("by 5 pm", "by 5 pm"),
        ("on the 3rd of May", "on the 3rd of May"),
        ("asap please", "asap"),
        ("no later than Thursday", "no later than Thursday"),
        ("by hand", None),
        ("a day at the beach", None),
    ],
)
def test_due_phrases_are_taken_as_they_were_said(text: str, due: str | None) -> None:
    assert due_in(text) == due


def test_a_sentence_cut_by_a_pause_is_one_and_cites_both_segments() -> None:
    cut = transcript("Anna: I will send the report\nAnna: to the whole team by Friday.\nBo: Thanks. Bye.")
    assert [(s.text, s.segment_ids) for s in sentences(cut.segments)] == [
        ("I will send the report to the whole team by Friday.", ("s1", "s2")),
        ("Thanks.", ("s3",)),
        ("Bye.", ("s3",)),
    ]


def test_abbreviations_end_no_sentence() -> None:
    said = transcript("Anna: We met Dr. Hansen, i.e. the new head. He agreed.")
    assert [s.text for s in sentences(said.segments)] == ["We met Dr. Hansen, i.e. the new head.", "He agreed."]


def test_in_another_language_nothing_is_read_into_the_words() -> None:
    draft = extract(
        transcript("Anna: Wir decided heute nichts, I will send Fisch.\nBo: Fisch ist gut. Fisch immer.", language="de")
    )
    assert (draft.decisions, draft.tasks, draft.questions) == ((), (), ())
    assert [topic.text for topic in draft.topics] == ["fisch"]
