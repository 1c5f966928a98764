"""What a request has to be before it becomes a job."""

from __future__ import annotations

import pytest

from manim_daemon.admission import admitted
from manim_daemon.errors import InvalidRequest
from manim_daemon.protocol import Asset, Limits, Request, Source
from manim_daemon.settings import Settings

pytestmark = pytest.mark.timeout(30)

_SETTINGS = Settings(max_timeout_s=60, max_memory_bytes=2**30, max_output_bytes=2**20)
_ENTRY = Source("cell.py", "")


def test_limits_are_bound_by_the_owners() -> None:
    """Nobody gets more than the settings allow, and who asks for less gets less."""
    greedy = Limits(wall_time_s=3600, memory_bytes=2**33, output_bytes=2**30)
    assert admitted(Request(_ENTRY, limits=greedy), _SETTINGS).limits == Limits(60, 2**30, 2**20)
    modest = Limits(wall_time_s=1, memory_bytes=2**27, output_bytes=5)
    assert admitted(Request(_ENTRY, limits=modest), _SETTINGS).limits == modest


@pytest.mark.parametrize("path", ["/etc/passwd", "../x.py", "a/../../x.py", "", ".", "a\0.py"])
def test_path_that_leads_out_of_the_folder_is_refused(path: str) -> None:
    """For the entry, for modules and for assets; the error shows the path."""
    for request in (
        Request(Source(path, "")),
        Request(_ENTRY, modules=(Source(path, ""),)),
        Request(_ENTRY, assets=(Asset(path, "a" * 64, 1),)),
    ):
        with pytest.raises(InvalidRequest, match="outside the job's folder") as caught:
            admitted(request, _SETTINGS)
        assert repr(path) in caught.value.failure.message


@pytest.mark.parametrize("path", ["a.py", "pkg/a.py", "a b.py", "über/ä.py", "...py"])
def test_path_inside_the_folder_is_taken(path: str) -> None:
    """Subfolders and any letters are allowed."""
    request = Request(Source(path, ""), assets=(Asset(path, "a" * 64, 1),))
    assert admitted(request, _SETTINGS).entry.path == path
