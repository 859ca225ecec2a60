"""`chartgen rules`."""

from __future__ import annotations

import difflib
import json
import textwrap
from typing import TYPE_CHECKING

import click

from chartgen.cli.console import Console
from chartgen.cli.options import command
from chartgen.cli.table import table

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from chartgen.lint.rules import Rule

# Longer lines are hard to read, however wide the terminal is.
_MAX_LINE = 100


def _rule_ids(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    from chartgen.lint.rules import rule_book

    return [
        CompletionItem(rule.id, help=rule.title)
        for rule in rule_book().values()
        if rule.id.startswith(incomplete)
    ]


@command("rules")
@click.argument("rule", required=False, shell_complete=_rule_ids)
def rules(console: Console, rule: str | None) -> None:
    """List the rules, or explain one.

    Each rule has an id that never changes; RULE is one of them.
    """
    from chartgen.lint.rules import rule_book

    book = rule_book()
    if rule is None:
        if console.settings.json:
            console.data(_json([_entry(each) for each in book.values()]))
        else:
            rows = [(each.id, each.severity.value, each.title) for each in book.values()]
            console.data(table(("Rule", "Severity", "Title"), rows, width=console.width))
            console.note("One rule in full: chartgen rules RULE")
        return
    if rule not in book:
        near = difflib.get_close_matches(rule, book, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else "List them with `chartgen rules`."
        raise click.BadParameter(f"no rule has the id {rule!r}. {hint}", param_hint="RULE")
    if console.settings.json:
        console.data(_json(_entry(book[rule])))
    else:
        console.data(_page(book[rule], min(console.width, _MAX_LINE)))


def _entry(rule: Rule) -> dict[str, str]:
    return {
        "id": rule.id,
        "title": rule.title,
        "severity": rule.severity.value,
        "about": rule.about,
        "source": rule.source,
        "why": rule.why,
        "fix": rule.fix,
    }


def _page(rule: Rule, width: int) -> str:
    parts = (
        ("Severity", rule.severity.value),
        ("Reads", rule.about),
        ("Source", rule.source),
        ("Why", rule.why),
        ("Fix", rule.fix),
    )
    lines = [f"{rule.id}: {rule.title}", ""]
    for name, text in parts:
        head = f"{name + ':':<10}"
        lines += textwrap.wrap(text, width, initial_indent=head, subsequent_indent=" " * len(head))
    return "\n".join(lines) + "\n"


def _json(document: object) -> str:
    return json.dumps(document, indent=2, ensure_ascii=True) + "\n"
