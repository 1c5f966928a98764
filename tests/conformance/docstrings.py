"""Render every example in Manim's docstrings with Manim and with ours, and compare the frames.

``python -m tests.conformance.docstrings --help``. What is done is kept in ``.conformance``, so an
interrupted run goes on where it was; a change of Manim or of our code renders ours anew.
"""

from __future__ import annotations

import enum
import hashlib
import json
import re
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from queue import SimpleQueue

import click

from tests.conformance.examples import Example, examples_in, manim_folder
from tests.conformance.reference import Reference, render_in_new_process
from tests.conformance.renderings import Agreement, Rendering, agreement
from tests.conformance.subject import Subject

__all__ = ["main"]

_ROOT = Path(__file__).parents[2]
_STORE = _ROOT / ".conformance"
_FILE = "example.py"
_SEED = ("--seed", "0")
_ATTEMPTS = 20


class Verdict(enum.StrEnum):
    """How an example came out."""

    IDENTICAL = "identical"
    ONE_OF_SEVERAL = "identical to one of several that Manim makes"
    DIFFERENT = "different"
    FAILED = "ours failed"
    UNSTEADY = "Manim makes something else each time"
    UNRENDERABLE = "Manim itself cannot render it here"

    @property
    def is_bad(self) -> bool:
        """Whether it speaks against us."""
        return self in (Verdict.DIFFERENT, Verdict.FAILED)


@dataclass(frozen=True)
class Outcome:
    """The verdict on the example `key` under `versions`; times in seconds."""

    key: str
    versions: str
    name: str
    verdict: Verdict
    detail: str
    manim_s: float
    ours_s: float


class Store:
    """What earlier runs found out, in a folder that may be removed at any time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._log = folder / "results.jsonl"
        folder.mkdir(exist_ok=True)
        (folder / ".gitignore").write_text("*\n")

    def outcomes(self, versions: str) -> dict[str, Outcome]:
        """Return the outcomes for these versions by the key of the example.

        Failures of ours are left out: they are worth another try.
        """
        if not self._log.exists():
            return {}
        records = [json.loads(line) for line in self._log.read_text("utf-8").splitlines()]
        outcomes = (Outcome(**r | {"verdict": Verdict(r["verdict"])}) for r in records)
        known = {outcome.key: outcome for outcome in outcomes if outcome.versions == versions}
        return {key: o for key, o in known.items() if o.verdict is not Verdict.FAILED}

    def add(self, outcome: Outcome) -> None:
        """Keep `outcome`."""
        with self._log.open("a", encoding="utf-8") as log:
            print(json.dumps(asdict(outcome)), file=log)

    def new_folder(self, purpose: str, example: Example) -> Path:
        """Return a folder that holds only the example's file."""
        folder = self.folder / purpose / example.key
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / _FILE).write_text(example.code, encoding="utf-8")
        return folder


class Examination:
    """Renders examples on both sides and compares; one call at a time for each of `references`."""

    def __init__(self, references: Sequence[Reference], subject: Subject, store: Store) -> None:
        self._references: SimpleQueue[Reference] = SimpleQueue()
        for reference in references:
            self._references.put(reference)
        self._subject = subject
        self._store = store
        self._versions = _versions()

    def __call__(self, example: Example) -> Outcome:
        """Return the outcome of `example`."""
        manim = self._manim(example)
        if manim.failure:
            return self._outcome(example, Verdict.UNRENDERABLE, manim.failure, manim)
        cwd = self._store.new_folder("ours", example)
        ours = self._subject.render(_FILE, (example.scene,), (*example.flags, *_SEED), cwd)
        found = agreement(
            manim,
            lambda: self._manim_again(example),
            ours,
            attempts=_ATTEMPTS,
            keep=self._store.folder / "frames" / example.key,
        )
        if found.holds:
            shutil.rmtree(cwd)
        verdict = Verdict.FAILED if ours.failure else _verdict(found)
        return self._outcome(example, verdict, str(found), manim, ours)

    def _outcome(
        self,
        example: Example,
        verdict: Verdict,
        detail: str,
        manim: Rendering,
        ours: Rendering | None = None,
    ) -> Outcome:
        seconds = ours.seconds if ours else 0.0
        return Outcome(
            example.key, self._versions, example.name, verdict, detail, manim.seconds, seconds
        )

    def _manim(self, example: Example) -> Rendering:
        """Return what Manim makes of it, from an earlier run when there is one."""
        kept = self._store.folder / "manim" / version("manim") / f"{example.key}.json"
        if earlier := _load(kept):
            return earlier
        reference = self._references.get()
        try:
            cwd = self._store.new_folder("reference", example)
            flags = (*example.flags, *_SEED)
            rendering = reference.render(_FILE, (example.scene,), flags, cwd, cwd / "media")
        finally:
            self._references.put(reference)
        if not rendering.failure:
            _save(rendering, kept)
        return rendering

    def _manim_again(self, example: Example) -> Rendering:
        """Return what a new process of Manim makes of it."""
        cwd = self._store.new_folder("again", example)
        flags = (*example.flags, *_SEED)
        return render_in_new_process(_FILE, (example.scene,), flags, cwd, cwd / "media")


def _verdict(found: Agreement) -> Verdict:
    if found.holds:
        return Verdict.ONE_OF_SEVERAL if found.differences else Verdict.IDENTICAL
    return Verdict.DIFFERENT if found.is_steady else Verdict.UNSTEADY


def _save(rendering: Rendering, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(rendering), default=str), encoding="utf-8")


def _load(path: Path) -> Rendering | None:
    """Return what `_save` wrote, or None when it or one of its files is gone."""
    if not path.exists():
        return None
    kept = json.loads(path.read_text("utf-8"))
    files = {name: Path(file) for name, file in kept["files"].items()}
    if not all(file.exists() for file in files.values()):
        return None
    return Rendering(files, seconds=kept["seconds"])


def _versions() -> str:
    """Return what the outcomes hold for: Manim's version and a fingerprint of our code."""
    digest = hashlib.sha256()
    for folder in ("daemon", "manim_kernel_ext"):
        for path in sorted((_ROOT / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    return f"manim {version('manim')}, code {digest.hexdigest()[:16]}"


@contextmanager
def _examination(store: Store, jobs: int) -> Iterator[Examination]:
    with ExitStack() as stack:
        subject = stack.enter_context(Subject())
        references = [stack.enter_context(Reference()) for _ in range(jobs)]
        yield Examination(references, subject, store)


def _examine(examples: Sequence[Example], store: Store, jobs: int) -> Iterator[Outcome]:
    with _examination(store, jobs) as examine, ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(examine, example) for example in examples]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _report(outcomes: Sequence[Outcome]) -> None:
    counts = Counter(outcome.verdict for outcome in outcomes)
    click.echo(f"\n{len(outcomes)} examples")
    for verdict in Verdict:
        click.echo(f"{counts[verdict]:5}  {verdict}")
    reasons = Counter(o.detail for o in outcomes if o.verdict is Verdict.UNRENDERABLE)
    for reason, count in reasons.most_common():
        click.echo(f"{count:12}  {reason}")
    for outcome in outcomes:
        if outcome.detail and outcome.verdict is not Verdict.UNRENDERABLE:
            click.echo(f"\n{outcome.name}: {outcome.verdict}\n{outcome.detail}")


@click.command()
@click.option("--jobs", default=2, show_default=True, help="Examples rendered at once.")
@click.option("--only", default="", metavar="REGEX", help="Only examples whose name matches.")
@click.option("--limit", type=int, help="Only the first so many.")
@click.option("--fresh", is_flag=True, help="Forget what earlier runs found out.")
def main(jobs: int, only: str, limit: int | None, fresh: bool) -> None:
    """Compare all examples in Manim's docstrings; exit with 1 if ours is not what Manim makes.

    An example's name is its file, line and scene: mobject/geometry/arc.py:72 ArcExample.
    """
    if fresh:
        shutil.rmtree(_STORE, ignore_errors=True)
    store = Store(_STORE)
    chosen = [e for e in examples_in(manim_folder()) if re.search(only, e.name)][:limit]
    known = store.outcomes(_versions())
    wanted = list({e.key: e for e in chosen if e.key not in known}.values())
    click.echo(f"{len(chosen)} examples, {len(wanted)} to render; {_versions()}")
    if wanted:
        for count, outcome in enumerate(_examine(wanted, store, jobs), 1):
            store.add(outcome)
            known[outcome.key] = outcome
            times = f"Manim {outcome.manim_s:.1f} s, ours {outcome.ours_s:.1f} s"
            click.echo(f"[{count}/{len(wanted)}] {outcome.verdict}: {outcome.name} ({times})")
    outcomes = [known[example.key] for example in chosen]
    _report(outcomes)
    sys.exit(any(outcome.verdict.is_bad for outcome in outcomes))


if __name__ == "__main__":
    main()
