"""Notebooks on real kernels, run the way nbclient runs them, and what their outputs hold."""

from __future__ import annotations

import asyncio
import base64
import io
import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import nbformat
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager, KernelManager
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook
from traitlets import Unicode

__all__ = [
    "WIDGET",
    "Cell",
    "Notebook",
    "Video",
    "decoded",
    "execute",
    "printed",
    "read_notebook",
    "videos_in",
    "write_notebook",
]

WIDGET = "application/vnd.jupyter.widget-view+json"

_CELL_TIMEOUT_S = 90
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_VIDEO = re.compile(r'<video [^>]*src="data:video/mp4;base64,([^"]+)"')


class Cell:
    """An executed cell, with its outputs as they are now: later cells may change them."""

    def __init__(self, node: NotebookNode) -> None:
        self._node = node

    @property
    def outputs(self) -> list[NotebookNode]:
        """The outputs."""
        return list(self._node.outputs)

    @property
    def error(self) -> str:
        """What the user sees of the cell's exception, without colours; empty if there is none."""
        found = [one for one in self.outputs if one.output_type == "error"]
        return _ANSI.sub("", "\n".join(found[0].traceback)) if found else ""

    @property
    def ename(self) -> str:
        """The name of the cell's exception."""
        return next((one.ename for one in self.outputs if one.output_type == "error"), "")

    def stream(self, name: str) -> str:
        """Return what went to ``stdout`` or ``stderr``."""
        found = [one.text for one in self.outputs if one.get("name") == name]
        return "".join(found)

    def data(self, media_type: str) -> list[str]:
        """Return the contents of `media_type` in the outputs."""
        bundles = [one.get("data", {}) for one in self.outputs]
        return [bundle[media_type] for bundle in bundles if media_type in bundle]

    @property
    def videos(self) -> list[bytes]:
        """The embedded videos."""
        return [video for page in self.data("text/html") for video in videos_in(page)]

    @property
    def images(self) -> list[bytes]:
        """The embedded PNG images."""
        return [base64.b64decode(image) for image in self.data("image/png")]


class Notebook:
    """A notebook that grows cell by cell on a live kernel. A context manager.

    `folder` is where it lies and where its kernel starts; `python` is the kernel's interpreter.
    """

    def __init__(self, folder: Path, python: str, environment: Mapping[str, str]) -> None:
        self._nb = new_notebook()  # type: ignore[no-untyped-call]
        self._environment = environment
        self._client = _client(self._nb, folder, python, allow_errors=True)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        environment = dict(self._environment)
        self._stack.enter_context(self._client.setup_kernel(env=environment, cleanup_kc=True))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def run(self, source: str) -> Cell:
        """Add a cell and execute it."""
        node = new_code_cell(source.strip("\n"))  # type: ignore[no-untyped-call]
        self._nb.cells.append(node)
        self._client.execute_cell(node, len(self._nb.cells) - 1)
        return Cell(node)

    def interrupt(self) -> None:
        """Interrupt the kernel, as the stop button does. May be called from another thread."""
        manager = self._client.km
        assert isinstance(manager, AsyncKernelManager)

        async def interrupt() -> None:
            await manager.interrupt_kernel()

        asyncio.run(interrupt())


@dataclass(frozen=True)
class Video:
    """What a decoder finds in a video; `duration` in seconds."""

    frames: int
    width: int
    height: int
    fps: float
    duration: float


def decoded(content: bytes) -> Video:
    """Decode a video to its end and return what is in it."""
    with av.open(io.BytesIO(content), "r") as container:
        stream = container.streams.video[0]
        frames = len(list(container.decode(stream)))
        assert stream.average_rate is not None
        assert container.duration is not None
        rate, seconds = float(stream.average_rate), container.duration / av.time_base
        return Video(frames, stream.width, stream.height, rate, seconds)


def videos_in(page: str) -> list[bytes]:
    """Return the MP4 videos embedded in ``src`` of the ``<video>`` elements of some HTML."""
    return [base64.b64decode(data) for data in _VIDEO.findall(page)]


def execute(path: Path, python: str, environment: Mapping[str, str]) -> NotebookNode:
    """Execute a notebook as ``jupyter execute`` does. Raises CellExecutionError."""
    nb = read_notebook(path)
    client = _client(nb, path.parent, python, allow_errors=False)
    client.execute(env=dict(environment), cleanup_kc=True)
    return nb


def printed(
    sources: Sequence[str], python: str, folder: Path, environment: Mapping[str, str]
) -> list[str]:
    """Execute cells one after another; return what each one printed, whenever it came.

    nbclient drops what comes for a cell that is over; front ends do not.
    """
    manager = KernelManager(kernel_spec_manager=_OneKernel(python=python))
    manager.start_kernel(cwd=str(folder), env=dict(environment))
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=_CELL_TIMEOUT_S)
        texts: dict[str, str] = {}
        for source in sources:
            cell = client.execute(source)
            texts[cell] = ""
            while not _ends(message := client.get_iopub_msg(timeout=_CELL_TIMEOUT_S), cell):
                if message["msg_type"] == "stream" and message["content"]["name"] == "stdout":
                    texts[message["parent_header"]["msg_id"]] += message["content"]["text"]
        return list(texts.values())
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def _ends(message: Mapping[str, Any], cell: str) -> bool:
    state = message["content"].get("execution_state")
    return bool(message["parent_header"].get("msg_id") == cell and state == "idle")


def read_notebook(path: Path) -> NotebookNode:
    """Read a notebook file."""
    nb: NotebookNode = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    return nb


def write_notebook(nb: NotebookNode, path: Path) -> Path:
    """Write a notebook file, as saving does."""
    nbformat.write(nb, path)  # type: ignore[no-untyped-call]
    return path


class _OneKernel(KernelSpecManager):
    """Knows one kernel: that of the interpreter `python`."""

    python = Unicode()

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        argv = [self.python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name=kernel_name, language="python")


def _client(nb: NotebookNode, folder: Path, python: str, *, allow_errors: bool) -> NotebookClient:
    return NotebookClient(
        nb,
        km=AsyncKernelManager(kernel_spec_manager=_OneKernel(python=python)),
        resources={"metadata": {"path": str(folder)}},
        timeout=_CELL_TIMEOUT_S,
        allow_errors=allow_errors,
    )
