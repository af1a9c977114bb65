"""Verbs of work: what can be somebody's task. "I'll send the notes" is one, "I'll be honest" is none."""

from roomscribe_summarizer.engines.rules.cues import any_of

_SINGLE = """
accept add allocate analyse analyze announce apply approve arrange ask assemble assign audit backport benchmark block
book brief build buy call chase check circulate clarify clean close collect compare compile complete configure confirm
connect contact coordinate copy create cut debug define deliver demo deploy design document double-check download draft
draw edit email escalate estimate evaluate export extend file fill finalise finalize finish fix forward gather handle
hire host implement import improve inform install interview investigate invite issue label land lead list measure merge
message migrate monitor negotiate notify order organise organize own pay phone ping plan post prepare present print
prioritise prioritize produce profile propose prototype provide publish pull push raise record refactor register release
remind remove rename renew repair replace reply report reproduce request research reserve reset resolve respond restart
retest review revert revise rewrite roll schedule scope search send set ship sign sketch sort spec split submit
summarise summarize support switch synthesise synthesize test tidy track train transfer translate turn update upgrade
upload validate verify visit wire write
"""
_PHRASES = (
    "follow up",
    "find (?!(it|that|this) \\w+(ing|ful))",
    "get (?!started|going|back to (that|this|it)\\W|it\\W|that\\W|there|to\\W|rid|used)\\w+",
    "give (\\w+ ){1,2}(a|an|the|access|feedback|numbers)",
    "look (into|at|up|after|over|for)",
    "make (a (?!point|joke|comment|guess)|an |the |sure )",
    "move (?!on\\W)",
    "open (a|an|the)",
    "pick (up|\\w+ up)",
    "put (together|the|a|an|it|that|up|in)",
    "reach out",
    "run (?!through|over|late)",
    "share (?!my screen|a (thought|concern|few))",
    "speak (to|with)(?! you)",
    "start (on|the|a|an|work\\w*|writing|building|drafting|testing)",
    "sync with",
    "take (care|over|on|that|it|this|the|a look|a stab|notes)(?! offline)",
    "talk (to|with)(?! you)",
    "tell (?!you|us|everyone)",
    "try (the|a|an|it|that)",
    "work (on|with|out)",
    "wrap up",
    "do (it|that|the|a|an|both|them|another|some)",
)
_ADVERBS = any_of(
    "also|then|definitely|personally|quickly|happily|gladly|please|just|still|probably|first",
    "go (ahead )?and|try (to|and)",
    "make sure( to| that)?( we| i| you)?|be able to",
)

TASK = rf"(?:{_ADVERBS}\s+)*{any_of(*_PHRASES, *_SINGLE.split())}"
"""A regular expression: adverbs, then a verb of work."""
