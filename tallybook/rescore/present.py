"""Reads from the books which rules are in force where a draft tries others."""

from __future__ import annotations

from itertools import islice

from books.log import LogReader
from processors.decider.rules.timeline import RuleTimeline
from tallybook.rescore.plan import Draft, Plan, RescoreRefused
from tallybook.rules.timeline import published_in


def present_rules(log: LogReader, plan: Plan, draft: Draft) -> RuleTimeline:
    """The rules that a draft was compared with; what was published after the run began is not among them.

    Raises:
        RescoreRefused: these are not the books of the run.
        BooksError: the books cannot be read.
    """
    require_books_of(plan, log)
    timeline = RuleTimeline(log.edition(plan.base).layers)
    for each in islice(published_in(log), draft.layers[-1].covers):
        timeline.publish(each.fact)
    return timeline


def require_books_of(plan: Plan, log: LogReader) -> None:
    """Raise RescoreRefused where these are other books than those that were re-scored."""
    opened = log.opened()
    if (opened.deployment, opened.generation, opened.opened_at) != (plan.deployment, plan.generation, plan.opened_at):
        raise RescoreRefused(
            "these are not the books that were re-scored: run it again over them (`tallybook rescore run`)"
        )
