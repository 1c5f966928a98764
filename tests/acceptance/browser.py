"""JupyterLab and Chromium for the browser tests: real ones, without network and without traces."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from playwright.sync_api import BrowserContext, Locator, Page, ViewportSize, sync_playwright

from tests.acceptance.daemon_home import wait_until

__all__ = ["JupyterLab", "NotebookPage", "chromium", "open_chromium"]

_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 20.0
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
    "--disable-component-update",
)
_VIEWPORT: ViewportSize = {"width": 1280, "height": 860}
# The page shows an idle kernel before it is connected to one, and then loses what is run.
_KERNEL_IS_IDLE = """() => {
    const panel = window.jupyterapp?.shell.currentWidget;
    return panel?.sessionContext?.kernelDisplayStatus === 'idle';
}"""
_STATE_OF_VIDEO = """video => ({
    readyState: video.readyState,
    duration: video.duration,
    width: video.videoWidth,
    height: video.videoHeight,
    currentTime: video.currentTime,
})"""
_WATCH_PROGRESS = """() => {
    window.progressSeen = [];
    const look = () => {
        const bar = document.querySelector('.jp-OutputArea .widget-hprogress .progress-bar');
        if (bar) {
            const outputs = bar.closest('.jp-OutputArea');
            const seen = [parseFloat(bar.style.width), outputs.innerText];
            const last = window.progressSeen.at(-1);
            if (!last || last[0] !== seen[0] || last[1] !== seen[1]) {
                window.progressSeen.push(seen);
            }
        }
        window.requestAnimationFrame(look);
    };
    look();
}"""


def chromium() -> str | None:
    """Return the path of Chromium, or None when there is none."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def open_chromium(executable: str, profile: Path) -> Iterator[BrowserContext]:
    """Yield a headless Chromium with the new, empty `profile`."""
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=executable,
            headless=True,
            args=list(_FLAGS),
            viewport=_VIEWPORT,
            color_scheme="light",
        )
        try:
            yield context
        finally:
            context.close()


class JupyterLab:
    """A JupyterLab server on the loopback interface that serves `folder`. A context manager.

    Its settings, kernels and signatures live in `home`, not where the user has them.
    """

    def __init__(self, folder: Path, home: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._home = home
        self._environment = {**environment, **self._own_folders()}

    def __enter__(self) -> Self:
        self._quieten()
        self._log = (self._home / "jupyterlab.log").open("wb")
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
                *("--ip=127.0.0.1", "--port=0", f"--ServerApp.root_dir={self._folder}"),
                *("--LabApp.expose_app_in_browser=True", "--LabApp.extension_manager=readonly"),
            ],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            wait_until(self._answers, "JupyterLab answers", _START_TIMEOUT_S)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop the server, which stops its kernels."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._log.close()

    def url(self, notebook: str) -> str:
        """Return where `notebook`, a path relative to the folder, can be opened."""
        server = self._server()
        return f"{server['url']}lab/tree/{notebook}?token={server['token']}"

    def _own_folders(self) -> dict[str, str]:
        names = ("CONFIG", "DATA", "RUNTIME")
        own = {f"JUPYTER_{name}_DIR": str(self._home / name.lower()) for name in names}
        # The kernel of this environment comes before one the machine has under the same name.
        return {**own, "IPYTHONDIR": str(self._home / "ipython"), "JUPYTER_PREFER_ENV_PATH": "1"}

    def _quieten(self) -> None:
        config = self._home / "config"
        _write_json(
            config / "labconfig" / "page_config.json",
            {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}},
        )
        _write_json(
            config
            / "lab/user-settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings",
            {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True},
        )

    def _server(self) -> dict[str, Any]:
        path = self._home / "runtime" / f"jpserver-{self._process.pid}.json"
        found: dict[str, Any] = json.loads(path.read_text())
        return found

    def _answers(self) -> bool:
        assert self._process.poll() is None, "JupyterLab has ended; see its log."
        try:
            server = self._server()
            address = f"{server['url']}api/status?token={server['token']}"
            with urllib.request.urlopen(address, timeout=5):
                return True
        except (OSError, ValueError):
            return False


class NotebookPage:
    """A notebook open in JupyterLab, with what its user does and sees."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        page.goto(url)
        self._wait_for_kernel()

    def cell(self, index: int) -> Locator:
        """Return the cell at `index`, counted from 0."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(index)

    def outputs(self, index: int) -> Locator:
        """Return the outputs of a cell."""
        return self.cell(index).locator(".jp-OutputArea-output")

    def run(self, index: int) -> None:
        """Click into a cell and press Shift+Enter."""
        self.cell(index).locator(".cm-content").click()
        self.page.keyboard.press("Shift+Enter")

    def wait_for_end(self, index: int) -> None:
        """Wait until a cell has a number: it is over."""
        number = self.cell(index).locator(".jp-InputPrompt").first
        wait_until(lambda: any(map(str.isdigit, number.inner_text())), f"cell {index} ends", 60)

    def watch_progress(self) -> None:
        """Keep from now on each state of the progress bar that is painted."""
        self.page.evaluate(_WATCH_PROGRESS)

    def progress_seen(self) -> list[tuple[float, str]]:
        """Return those states: the bar's width in percent and the text of the outputs."""
        return [(width, text) for width, text in self.page.evaluate("window.progressSeen")]

    def wait_for_video(self, index: int) -> dict[str, float]:
        """Wait until the video of a cell can be played, and return its state."""
        video = self.cell(index).locator("video")
        video.wait_for(timeout=60_000)
        wait_until(lambda: _state(video)["readyState"] >= 2, "the video has data")
        return _state(video)

    def plays(self, index: int) -> bool:
        """Return whether the time of a cell's video runs."""
        video = self.cell(index).locator("video")
        before = _state(video)["currentTime"]
        video.evaluate("video => video.play()")
        wait_until(lambda: _state(video)["currentTime"] != before, "the video plays")
        return True

    def save(self) -> None:
        """Press Ctrl+S and wait until everything is written."""
        self.page.keyboard.press("Control+s")
        self.page.locator(".jp-mod-current.jp-mod-dirty").wait_for(state="detached")

    def reload(self) -> None:
        """Load the page anew."""
        self.page.reload()
        self._wait_for_kernel()

    def _wait_for_kernel(self) -> None:
        self.page.wait_for_function(_KERNEL_IS_IDLE, timeout=60_000)
        self.page.locator(".jp-NotebookPanel .jp-Spinner").wait_for(state="detached")


def _state(video: Locator) -> dict[str, float]:
    found: dict[str, float] = video.evaluate(_STATE_OF_VIDEO)
    return found


def _write_json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
