"""What we render equals Manim: the same files with the same frames, sound and text.

Manim renders its side in the background while ours renders in the foreground, so that two cores
are busy. Frames that differ are left in ``test-output/conformance``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import mkdtemp

import pytest

from tests.conformance.cases import CASES, Case, copy_scenes
from tests.conformance.reference import Reference, render_in_new_process
from tests.conformance.renderings import Rendering, agreement
from tests.conformance.subject import Subject

_KEPT = Path(__file__).parents[2] / "test-output" / "conformance"


@pytest.fixture(scope="module")
def subject() -> Iterator[Subject]:
    """Our command line with a daemon of its own."""
    with Subject() as subject:
        yield subject


@pytest.fixture(scope="module")
def manim(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, Future[Rendering]]]:
    """What Manim makes of each chosen case, as it becomes ready."""
    folder = tmp_path_factory.mktemp("manim")
    with Reference() as reference, ThreadPoolExecutor(1) as pool:
        yield {
            case.name: pool.submit(_render_with_manim, reference, case, folder / case.name)
            for case in _chosen_cases(request.session.items)
        }
        pool.shutdown(cancel_futures=True)


def _chosen_cases(items: list[pytest.Item]) -> list[Case]:
    calls = (item.callspec for item in items if hasattr(item, "callspec"))
    return [call.params["case"] for call in calls if isinstance(call.params.get("case"), Case)]


def _render_with_manim(reference: Reference, case: Case, folder: Path) -> Rendering:
    folder.mkdir()
    if case.has_cfg:
        return _render_in_new_process(case, folder)
    cwd = copy_scenes(case, folder / "source")
    return reference.render(Path(case.file).name, case.scenes, case.flags, cwd, folder / "media")


def _render_in_new_process(case: Case, folder: Path) -> Rendering:
    place = Path(mkdtemp(dir=folder))
    cwd = copy_scenes(case, place / "source")
    file = Path(case.file).name
    return render_in_new_process(file, case.scenes, case.flags, cwd, place / "media")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_ours_is_what_manim_makes(
    case: Case, manim: Mapping[str, Future[Rendering]], subject: Subject, tmp_path: Path
) -> None:
    """The same command line makes the same files, equal frame by frame, count included."""
    cwd = copy_scenes(case, tmp_path / "source")
    ours = subject.render(Path(case.file).name, case.scenes, case.flags, cwd)
    expected = manim[case.name].result()
    assert not expected.failure, f"Manim itself: {expected.failure}"
    again = partial(_render_in_new_process, case, tmp_path)
    found = agreement(expected, again, ours, attempts=3, keep=_KEPT / case.name)
    assert found.holds, str(found)


def test_the_set_is_large_and_without_doubles() -> None:
    """There are at least forty different scenes, and no two cases have the same name."""
    assert len({(case.file, scene) for case in CASES for scene in case.scenes}) >= 40
    assert len({case.name for case in CASES}) == len(CASES)
