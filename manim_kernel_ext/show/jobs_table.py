"""The table of ``%manim_jobs``: text for a terminal, HTML for a notebook."""

from __future__ import annotations

import html
from collections.abc import Sequence
from datetime import datetime

from manim_daemon.protocol import Job
from manim_kernel_ext.commands.report import table
from manim_kernel_ext.show.display import Bundle

__all__ = ["jobs_bundle"]

_HEADER = ("Job", "State", "Scenes", "From", "Started", "Seconds")


def jobs_bundle(jobs: Sequence[Job]) -> Bundle:
    """Return a bundle that shows `jobs`, one a row."""
    rows = [_row(job) for job in jobs]
    return {"text/plain": table(_HEADER, rows), "text/html": _html(rows)}, {}


def _row(job: Job) -> tuple[str, ...]:
    started = datetime.fromtimestamp(job.created_at).astimezone()
    return (
        job.id,
        f"{job.state} (cached)" if job.cached else str(job.state),
        ", ".join(job.scenes),
        job.label,
        f"{started:%Y-%m-%d %H:%M:%S}",
        f"{job.elapsed_s:.1f}",
    )


def _html(rows: Sequence[Sequence[str]]) -> str:
    head = _html_row("th", _HEADER)
    body = "".join(_html_row("td", row) for row in rows)
    return f"<table><thead>{head}</thead><tbody>{body}</tbody></table>"


def _html_row(tag: str, cells: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{html.escape(cell)}</{tag}>' for cell in cells)}</tr>"
