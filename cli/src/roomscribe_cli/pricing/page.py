"""The page a report stands on: one file, its style inside it."""

from collections.abc import Sequence
from html import escape

_STYLE = """
:root { color-scheme: light dark; --ink:#1c2430; --soft:#5b6675; --rule:#dfe3e8; --paper:#fff; --tint:#f5f7f9;
  --k1:#2463c4; --k2:#d9730d; --k3:#13866f; --k4:#8449b8; --k5:#b3405f; --k6:#7a6a12; --k7:#4a7f9c; --k8:#7c7c7c; }
@media (prefers-color-scheme: dark) { :root { --ink:#e6eaf0; --soft:#9aa5b3; --rule:#323a45; --paper:#14181e;
  --tint:#1c222a; --k1:#6ea3f5; --k2:#f0a04b; --k3:#4cc3a7; --k4:#bd8cea; --k5:#e58aa3; --k6:#cbb84a; --k7:#8cc3df;
  --k8:#a8a8a8; } }
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif }
main { max-width: 860px; margin: 0 auto; padding: 32px 24px 64px }
h1 { font-size: 26px; line-height: 1.25; margin: 0 0 4px } h2 { font-size: 18px; margin: 40px 0 8px }
p { margin: 6px 0 } .soft { color: var(--soft) } .total { font-size: 40px; font-weight: 650; margin: 12px 0 0 }
.facts { display: flex; flex-wrap: wrap; gap: 8px 32px; padding: 0; margin: 8px 0 0; list-style: none }
.facts b { display: block; font-size: 18px }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; margin: 8px 0 }
th, td { padding: 5px 8px; text-align: left; border-bottom: 1px solid var(--rule); vertical-align: top }
th { color: var(--soft); font-weight: 500 } .n { text-align: right; white-space: nowrap }
.no { color: var(--k5) } tr.sum td { font-weight: 650; border-bottom: 0 }
ul.notes { padding-left: 18px } ul.notes li { margin: 4px 0 }
.scroll { overflow-x: auto } svg { display: block; width: 100%; height: auto; margin: 4px 0 }
.grid { stroke: var(--rule) } .mark { stroke: var(--ink); stroke-dasharray: 3 3 }
.tick, .label, .name, .strong { font-size: 12px; fill: var(--soft) } .label, .name { fill: var(--ink) }
.strong { fill: var(--ink); font-weight: 650 }
.line { fill: none; stroke-width: 2.5; stroke-linejoin: round } .dashed { stroke-dasharray: 5 5; opacity: .55 }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: 4px 20px; padding: 0; margin: 8px 0; font-size: 13px }
.legend i { display: inline-block; width: 12px; height: 12px; border-radius: 3px; margin-right: 6px }
""" + "".join(
    f".s-c{n}{{stroke:var(--k{n})}}.f-c{n}{{fill:var(--k{n})}}.b-c{n}{{background:var(--k{n})}}" for n in range(1, 9)
)


def page(title: str, sections: Sequence[str]) -> str:
    """The whole document."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>{''.join(sections)}</main></body></html>\n"
    )


def section(heading: str, *parts: str) -> str:
    """A heading and what stands below it."""
    return f"<h2>{escape(heading)}</h2>{''.join(parts)}"


def paragraph(text: str, kind: str = "soft") -> str:
    """A line of prose."""
    return f'<p class="{kind}">{escape(text)}</p>'


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int], *, sum_row: bool = False) -> str:
    """A table; columns in `numbers` are set right, and the last row stands out as their sum."""

    def cells(values: Sequence[str], tag: str) -> str:
        kinds = [' class="n"' if column in numbers else "" for column in range(len(values))]
        return "".join(f"<{tag}{kind}>{escape(value)}</{tag}>" for kind, value in zip(kinds, values, strict=True))

    last = ' class="sum"' if sum_row else ""
    body = [f"<tr{last if row is rows[-1] else ''}>{cells(row, 'td')}</tr>" for row in rows]
    return f'<div class="scroll"><table><tr>{cells(heads, "th")}</tr>{"".join(body)}</table></div>'


def facts(pairs: Sequence[tuple[str, str]]) -> str:
    """Figures beside each other, each with its name."""
    return '<ul class="facts">' + "".join(f"<li><b>{escape(v)}</b>{escape(k)}</li>" for k, v in pairs) + "</ul>"


def notes(lines: Sequence[str]) -> str:
    """A list."""
    return '<ul class="notes">' + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"
