from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(60)


def test_heavy_modules_are_not_imported_by_looking() -> None:
    """The analysis loads neither Manim nor NumPy nor pandas."""
    code = (
        "import sys, manim_kernel_ext.request; "
        "print([m for m in ('manim', 'numpy', 'pandas', 'IPython') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_a_kernel_with_manim_takes_its_names_and_settings_along(tmp_path: Path) -> None:
    """Manim's own names stay, renamed ones are imported, what was set on config travels."""
    root = Path(__file__).parents[2]
    shown = subprocess.run(
        [sys.executable, Path(__file__).with_name("kernel_with_manim.py")],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(root), "PATH": "/usr/bin", "HOME": str(tmp_path)},
        timeout=50,
        check=False,
    )
    assert shown.stdout.strip().endswith("done"), shown.stderr
