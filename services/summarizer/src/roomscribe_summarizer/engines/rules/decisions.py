"""Decisions: said outright, or proposed by one person and agreed to by another."""

from collections.abc import Sequence

from roomscribe_summarizer.domain.draft import Statement
from roomscribe_summarizer.engines.rules.cues import any_of, cue, opening
from roomscribe_summarizer.engines.rules.replies import agrees, declines, knows_not
from roomscribe_summarizer.engines.rules.sentences import Sentence

_COURSE = any_of(
    "go (with|for(?! it\\W*$)|ahead with)|stick (with|to)|settle (on|for)|agree (on|that|to)",
    "use(?! the time)|adopt|choose|pick|ship|launch|release|drop|postpone|delay|cancel|switch|cut|skip(?! ahead)",
    "push (the|it|this|that|back|out)|bring forward|move (the|it|this|that|to|our|from|launch|everything)",
    "keep (the|it (?!short|brief|going|moving)|this|that|our|using|both|what)|make (the|it|this|that (?!clear))",
    "set (the|a|it)|buy|hire|freeze|merge|replace|schedule|aim for|limit|double|split",
    "start (with (the|a|our)|on (the|\\w+day))",
    "not (?!decide|forget|worry|get|go (into|there)|start|talk|discuss|rush|spend|waste)\\w+",
)
_SAID = cue(
    "(we|we've|we have) (all |just |now |already |finally |both )?(decided|agreed|settled|chosen|chose|concluded)",
    f"let'?s (just |all |then |therefore |please |do that and )?{_COURSE}",
    "(we'll|we will|we are|we're) (just |all |then |going to |gonna |now )*(go|going|stick|sticking|settle) "
    "(ahead )?(with|for|on)",
    "(the|our) (final )?decision (is|was|stands)",
    "(it's|it is|that's|that is|this is) (now |hereby )?(decided|settled|agreed|final|a decision)(?! (by|with) me)",
    "(decided|settled) then|we have (a decision|consensus|an agreement)|consensus is",
)
_AGREED_ON = opening(r"agreed[,:;.]? (then )?(?!but|with|i(?!'ll| will))\w+(\W+\w+){2}")
_NOT = "haven't|have not|hasn't|has not|not yet|never|didn't|did not|don't|do not|can't|cannot|couldn't"
_DECIDE = "(decided?|agreed?|settled?|chosen?|chose)"
_NOT_ONE = cue(
    f"({_NOT}) (\\w+ ){{0,2}}{_DECIDE}",
    f"(have|had|did) we (\\w+ )?{_DECIDE}",
    f"(need|needs|have|want|wanted|trying|try|time|hard|able|ought|supposed) to (\\w+ )?{_DECIDE}",
    f"(if|once|until|before|unless|when|whenever|whether|how|what|why) (\\w+ ){{0,3}}({_DECIDE}|go with)",
    f"(he|she|they|you|people|customers|who) (\\w+ )?{_DECIDE}",
    "agreed to disagree|nothing (is|was|has been) decided",
)
_PROPOSED = cue(
    f"let'?s (\\w+ )?{_COURSE}",
    "(i|i'd|i would) (like to )?(propose|suggest|recommend|vote)|(my|the) (proposal|suggestion) (is|would be)",
    "(how|what) about (we|if we|\\w+ing|the|a|next|\\w+day)|what if we|why don't we",
    "(shall|should|could|can) we (?!start\\W|begin|move on|hear|see|get|talk|go (back|on))\\w+",
    "we (should|could)",
)
_LETS = cue("let'?s")
_OBJECTS = opening(
    "i (disagree|don't (think|agree|like))|(i'm|i am) not (sure|convinced|comfortable)",
    "that (won't|doesn't|will not) work|we can't|we cannot|wait|hold on|hmm",
)
_WINDOW = 4
"""How many sentences after a proposal an agreement still belongs to it."""


def decisions(said: Sequence[Sentence]) -> list[Statement]:
    """The decisions, verbatim. One that was agreed to cites the proposal and the agreement."""
    found: dict[int, Statement] = {}
    for sentence in said:
        if _is_decision(sentence) and not _objected_to(said, sentence):
            found.setdefault(sentence.index, Statement(sentence.text, sentence.segment_ids))
        elif agrees(sentence) and (proposal := _proposal_before(said, sentence)) is not None:
            before = found.get(proposal.index, Statement(proposal.text, proposal.segment_ids))
            ids = tuple(dict.fromkeys((*before.segment_ids, *sentence.segment_ids)))
            found[proposal.index] = Statement(proposal.text, ids)
    return [found[index] for index in sorted(found)]


def _is_decision(sentence: Sentence) -> bool:
    if sentence.is_question or agrees(sentence) or _NOT_ONE.search(sentence.plain):
        return False
    return bool(_SAID.search(sentence.plain) or _AGREED_ON.search(sentence.plain))


def _objected_to(said: Sequence[Sentence], sentence: Sentence) -> bool:
    """Whether it is a proposal ("let's …") that the next other speaker does not take."""
    if not _LETS.search(sentence.plain):
        return False
    answer = next((s for s in said[sentence.index + 1 :][:2] if s.speaker != sentence.speaker), None)
    return answer is not None and bool(declines(answer) or _OBJECTS.search(answer.plain))


def _proposal_before(said: Sequence[Sentence], agreement: Sentence) -> Sentence | None:
    for sentence in reversed(said[max(0, agreement.index - _WINDOW) : agreement.index]):
        if declines(sentence) or knows_not(sentence):
            return None
        if sentence.speaker != agreement.speaker and _PROPOSED.search(sentence.plain):
            return None if _NOT_ONE.search(sentence.plain) else sentence
    return None
