"""Execute the quickstart notebook; say how long each cell took and where the results are."""

from __future__ import annotations

import base64
import mimetypes
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal, DeadKernelError
from nbconvert import HTMLExporter
from nbconvert.filters import strip_ansi
from nbformat import NotebookNode
from traitlets.config import Config

from manim_daemon import launch
from manim_daemon.errors import ManimKernelError
from manim_daemon.settings import Settings

_ROOT = Path(__file__).parents[1]
_NOTEBOOK = _ROOT / "notebooks" / "quickstart.ipynb"
_OUTPUT = _ROOT / "output"
_CELL_TIMEOUT_S = 600
_ROW = "{:>4}  {:<56} {:>7}  {}"
_EMBEDDED = re.compile(r'src="data:([^;"]+);base64,([^"]+)"')


def main() -> int:
    """Run the demonstration; return the exit status."""
    try:
        settings = Settings.load()
        was_running = launch.is_alive(settings)
        try:
            return _demonstrate()
        finally:
            if not was_running:
                launch.stop(settings)
    except ManimKernelError as error:
        print(error, file=sys.stderr)
        return 1


def _demonstrate() -> int:
    _OUTPUT.mkdir(exist_ok=True)
    started = time.monotonic()
    print(_ROW.format("Cell", "What", "Seconds", "File"))
    notebook = nbformat.read(_NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]
    error = _execute(notebook)
    pages = (_write_notebook(notebook), _write_html(notebook))
    print(f"\n{time.monotonic() - started:.1f} seconds. The notebook with its videos:")
    for page in pages:
        print(f"  {page}")
    if error is None:
        return 0
    print(f"\nA cell failed:\n\n{strip_ansi(error)}", file=sys.stderr)  # type: ignore[no-untyped-call]
    return 1


def _execute(notebook: NotebookNode) -> str | None:
    """Execute `notebook` in place with this Python as its kernel; return what went wrong."""
    table = _Table()
    client = NotebookClient(
        notebook,
        config=_this_python(),
        resources={"metadata": {"path": str(_NOTEBOOK.parent)}},
        timeout=_CELL_TIMEOUT_S,
        on_cell_start=table.start,
        on_cell_executed=table.end,
    )
    try:
        client.execute()
    except (CellControlSignal, DeadKernelError) as error:
        return _last_error(notebook) or str(error)
    return None


def _this_python() -> Config:
    config = Config()
    # Without folders to search, "python3" is the kernel of this very environment.
    config.KernelSpecManager.kernel_dirs = []
    # A kernel that could have an encrypted connection and has not says so on standard error.
    config.KernelManager.transport_encryption = "auto"
    return config


class _Table:
    """Prints one row for each code cell as soon as it has run."""

    def start(self, cell: NotebookNode, **_: Any) -> None:
        self._started = time.monotonic()

    def end(self, cell: NotebookNode, **_: Any) -> None:
        seconds = f"{time.monotonic() - self._started:.1f}"
        files = ", ".join(str(path.relative_to(_ROOT)) for path in _extract(cell))
        what = _described(cell)
        print(_ROW.format(f"[{cell.execution_count}]", what, seconds, files).rstrip(), flush=True)


def _described(cell: NotebookNode) -> str:
    for output in cell.outputs:
        if output.output_type == "error":
            return f"failed: {output.ename}"
        if _media(output):
            return _plain(output).partition(", rendered in")[0]
    return str(cell.source).splitlines()[0][:56]


def _extract(cell: NotebookNode) -> Iterator[Path]:
    """Write the videos and images in the outputs of `cell` to files named after their scenes."""
    for output in cell.outputs:
        scene = _plain(output).partition(":")[0]
        for number, (media_type, data) in enumerate(_media(output)):
            suffix = mimetypes.guess_extension(media_type) or ""
            path = _OUTPUT / f"{scene}{f'-{number + 1}' if number else ''}{suffix}"
            path.write_bytes(base64.b64decode(data))
            yield path


def _media(output: NotebookNode) -> list[tuple[str, str]]:
    data = output.get("data", {})
    if "image/png" in data:
        return [("image/png", data["image/png"])]
    return _EMBEDDED.findall(data.get("text/html", ""))


def _plain(output: NotebookNode) -> str:
    return str(output.get("data", {}).get("text/plain", ""))


def _last_error(notebook: NotebookNode) -> str | None:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    errors = [output for output in outputs if output.output_type == "error"]
    return "\n".join(errors[-1].traceback) if errors else None


def _write_notebook(notebook: NotebookNode) -> Path:
    path = _OUTPUT / _NOTEBOOK.name
    nbformat.write(notebook, path)  # type: ignore[no-untyped-call]
    return path


def _write_html(notebook: NotebookNode) -> Path:
    path = (_OUTPUT / _NOTEBOOK.name).with_suffix(".html")
    resources = {"metadata": {"name": "Manim in a notebook"}}
    exporter = HTMLExporter()  # type: ignore[no-untyped-call]
    page, _ = exporter.from_notebook_node(notebook, resources=resources)
    path.write_text(page, encoding="utf-8")
    return path


if __name__ == "__main__":
    sys.exit(main())
