"""Whole meetings through the extractive engine: everything that is there, and nothing that is not."""

from .spoken import asked, decided, minutes, tasks

LAUNCH = """
Anna: Good morning everyone, can you all hear me?
Bo: Yes, loud and clear.
Anna: Great. So the first thing today is the launch of the new billing page.
Carla: The billing page is ready except for the invoice export.
Bo: Do we know how many customers actually use the invoice export?
Carla: Not sure. I'd have to look at the numbers.
Anna: Okay. Let's go with the smaller release and leave the invoice export for later.
Bo: Agreed.
Carla: I will send the customer numbers by Friday.
Anna: Bo, can you update the release notes before Thursday?
Bo: Sure, I can do that.
Anna: What about the marketing email? Who writes it?
Dmitri: I'll write the marketing email tomorrow morning.
Carla: We still need to decide on the price for small teams.
Bo: I think twenty dollars is fine.
Anna: Let's not decide the price today.
Dmitri: Should we move the launch to Tuesday?
Anna: Sounds good to me.
Anna: And Carla will talk to support and Bo will check the dashboards next week.
Anna: I can see we are out of time. Thanks everyone, I'll let you go.
Bo: Bye.
"""
ROADMAP = """
Priya: Okay so the agenda is the mobile app, the budget, and hiring.
Tom: Before we decide anything, has anyone looked at the crash reports?
Priya: I looked at them. Most crashes come from the image picker.
Tom: Then we need to update the image picker before the release.
Lena: I'll take care of that. By Wednesday.
Priya: Thanks Lena. For the budget, I propose we move two thousand euros from travel to testing devices.
Tom: Works for me.
Lena: Fine by me.
Priya: Okay, that's settled then.
Tom: Who is going to order the testing devices?
Priya: I can order them this week.
Lena: We could also wait for the discounts in
Lena: december, but I am not sure it's worth it.
Tom: No, we need them now.
Priya: On hiring, we have two candidates for the backend role. Let's go with both of them.
Tom: I disagree, the second one has no backend experience.
Priya: Okay. Tom to call the first candidate and Lena please prepare the interview questions by next Monday.
Lena: Will do.
Tom: When does the new office open?
Priya: Good question, I don't know. I will ask the landlord.
Tom: Could someone send me the slides?
Lena: Yes, I'll send them after the call.
Priya: Would you mind closing the window?
Priya: Right, let's wrap up. We'll go with the Tuesday release then.
"""
WITHOUT_PUNCTUATION = """
Anna: hi all thanks for coming lets get started
Bo: so the migration went fine last night
Carla: i'll write up the migration report by end of day
Anna: we decided to keep the old database for two more weeks
Bo: carla can you ask the vendor about the backup price
Carla: sure will do
Bo: i will not be here on monday
Anna: someone needs to check the backup disk before the weekend
"""
SMALL_TALK = """
Maya: How was your weekend?
Jon: Great, we went hiking. If I will ever do that again, I'll bring better shoes.
Maya: Ha. I can see that. I'll be honest, I stayed in bed.
Jon: They decided to go to Italy, I think. He said he will send photos.
Maya: Nice. You know what, I should have gone too.
Jon: I would have called you, but never mind. Any other updates?
Maya: No. I'll let you go then. Let's move on with our day.
Jon: Okay, I'll talk to you later. Let's call it a day.
"""


def test_a_launch_meetings_decisions_cite_the_proposal_and_the_agreement() -> None:
    assert decided(LAUNCH) == [
        ("Let's go with the smaller release and leave the invoice export for later.", "s7 s8"),
        ("Should we move the launch to Tuesday?", "s17 s18"),
    ]


def test_a_launch_meetings_action_items_have_owner_and_due_date() -> None:
    assert tasks(LAUNCH) == [
        ("I will send the customer numbers by Friday.", "Carla", "by Friday"),
        ("Bo, can you update the release notes before Thursday?", "Bo", "before Thursday"),
        ("I'll write the marketing email tomorrow morning.", "Dmitri", "tomorrow morning"),
        ("And Carla will talk to support", "Carla", None),
        ("Bo will check the dashboards next week.", "Bo", "next week"),
    ]


def test_a_launch_meetings_open_questions_are_those_nobody_answered() -> None:
    assert asked(LAUNCH) == [
        "Do we know how many customers actually use the invoice export?",
        "We still need to decide on the price for small teams.",
    ]


def test_a_launch_meetings_topics_are_what_it_was_about() -> None:
    draft = minutes(LAUNCH)
    assert [topic.text for topic in draft.topics][:3] == ["invoice export", "billing page", "marketing email"]
    assert draft.topics[0].segment_ids == ("s4", "s5", "s7")
    assert draft.title == "Invoice export"
    assert minutes(LAUNCH, title="Launch").title == "Launch"


def test_a_roadmap_meeting_with_objections_offers_and_a_cut_sentence() -> None:
    assert decided(ROADMAP) == [
        (
            "For the budget, I propose we move two thousand euros from travel to testing devices.",
            "s6 s7 s8",
        ),
        ("We'll go with the Tuesday release then.", "s24"),
    ]
    assert tasks(ROADMAP) == [
        (
            "Then we need to update the image picker before the release. I'll take care of that.",
            "Lena",
            "By Wednesday",
        ),
        ("Who is going to order the testing devices? I can order them this week.", "Priya", "this week"),
        ("Tom to call the first candidate", "Tom", None),
        ("Lena please prepare the interview questions by next Monday.", "Lena", "by next Monday"),
        ("I will ask the landlord.", "Priya", None),
        ("Could someone send me the slides?", "Lena", "after the call"),
    ]
    assert asked(ROADMAP) == ["When does the new office open?"]


def test_a_transcript_without_punctuation_is_understood() -> None:
    assert decided(WITHOUT_PUNCTUATION) == [("we decided to keep the old database for two more weeks", "s4")]
    assert tasks(WITHOUT_PUNCTUATION) == [
        ("i'll write up the migration report by end of day", "Carla", "by end of day"),
        ("carla can you ask the vendor about the backup price", "Carla", None),
        ("someone needs to check the backup disk before the weekend", None, "before the weekend"),
    ]


def test_small_talk_has_no_decisions_no_tasks_and_no_questions() -> None:
    draft = minutes(SMALL_TALK)
    assert (draft.decisions, draft.tasks, draft.questions) == ((), (), ())


def test_everything_is_verbatim_and_cites_the_segments_it_was_taken_from() -> None:
    for meeting in (LAUNCH, ROADMAP, WITHOUT_PUNCTUATION, SMALL_TALK):
        said = [line.partition(": ")[2] for line in meeting.strip().splitlines()]
        draft = minutes(meeting)
        for one in (*draft.summary, *draft.decisions, *draft.tasks, *draft.questions):
            cited = " ".join(said[int(id_[1:]) - 1] for id_ in one.segment_ids)
            assert one.text in cited or all(part in cited for part in one.text.split(". ")[0].split("? "))


def test_the_summary_is_short_in_order_and_prefers_what_was_settled() -> None:
    draft = minutes(LAUNCH)
    places = [int(one.segment_ids[0][1:]) for one in draft.summary]
    assert places == sorted(places)
    assert 2 <= len(places) <= 5
    assert any("smaller release" in one.text for one in draft.summary)


def test_nothing_said_makes_empty_minutes() -> None:
    draft = minutes("")
    assert draft.title == "planning"
    assert not any((draft.summary, draft.topics, draft.decisions, draft.tasks, draft.questions))
