"""A worker's main process: loads the user's code, renders each scene, reports."""

from __future__ import annotations

import io
import os
import random
import sys
import time
from pathlib import Path

import numpy as np
from manim import config, tempconfig
from manim.constants import RendererType
from manim.manager import Manager
from manim.scene.scene import Scene

from manim_daemon.protocol import Finished, Note, Request, SceneStarted, decode_request
from manim_daemon.worker import failures, latex, outputs, sandbox
from manim_daemon.worker.alarm import set_alarm
from manim_daemon.worker.channel import Channel
from manim_daemon.worker.configure import apply_flags, configure
from manim_daemon.worker.loading import SceneModule, write_sources
from manim_daemon.worker.observing import Observer
from manim_daemon.worker.plays import count_plays
from manim_daemon.zygote_protocol import Spawn

__all__ = ["direct"]


def direct(spawn: Spawn, events: int) -> None:
    """Carry out the request in `spawn.folder`, sending events to the socket `events`.

    The folder holds ``request.msgpack`` and the assets under ``work``; files go to ``out``.
    """
    assert isinstance(sys.stdout, io.TextIOWrapper)
    sys.stdout.reconfigure(line_buffering=True)
    channel = Channel(events)
    job = _Job(Path(spawn.folder), channel)
    try:
        sandbox.enter(job.folder, spawn.memory_bytes, spawn.output_bytes, spawn.cpu_time_s)
        latex.install(Path(spawn.tex_cache))
        timings = job.run()
    except BaseException as error:
        channel.send(failures.describe(error, job.user_files, job.folder, spawn.memory_bytes))
        return
    channel.send(Finished(timings))


class _Job:
    def __init__(self, folder: Path, channel: Channel) -> None:
        self.folder = folder
        self.user_files: dict[str, str] = {}
        self._channel = channel
        self._work = folder / "work"

    def run(self) -> dict[str, float]:
        started = time.monotonic()
        request = decode_request((self.folder / "request.msgpack").read_bytes())
        set_alarm(request.limits.wall_time_s)
        write_sources(request, self._work)
        os.chdir(self._work)
        # Every fork of the zygote starts from the same state of the generators.
        random.seed()
        np.random.seed()
        source = self._work / request.entry.path
        configure(request, source, self.folder / "media")
        module = SceneModule(request, self._work)
        self.user_files = module.files
        module.execute()
        if request.notebook:
            apply_flags(request.options, source)
        scenes = module.scenes()
        loaded = time.monotonic()
        for index, scene in enumerate(scenes):
            self._render(scene, index, len(scenes), request, module)
        return {"load": loaded - started, "render": time.monotonic() - loaded}

    def _render(
        self,
        scene_class: type[Scene],
        index: int,
        total: int,
        request: Request,
        module: SceneModule,
    ) -> None:
        is_body = request.construct_base is not None
        plays = None
        if not _may_play_outside_construct(scene_class):
            plays = count_plays(module.syntax_tree(), None if is_body else scene_class.__name__)
        self._channel.send(SceneStarted(scene_class.__name__, index, total, plays))
        with tempconfig({}):
            scene = _instantiate(scene_class)
            observer = Observer(scene, self._channel, plays)
            Manager(scene)
            scene.render()
            observer.finish()
            produced = outputs.collect(scene, self.folder / "out" / str(index), observer.frames)
            for output in produced:
                self._channel.send(output)
            if scene.renderer.num_plays == 0 and not request.options.save_last_frame:
                self._channel.send(
                    Note(f"{scene_class.__name__} has no plays, so its picture is shown instead.")
                )


def _may_play_outside_construct(scene_class: type[Scene]) -> bool:
    methods = (scene_class.setup, scene_class.tear_down)
    return not all(method.__module__.startswith("manim.") for method in methods)


def _instantiate(scene_class: type[Scene]) -> Scene:
    if config.renderer == RendererType.OPENGL:
        from manim.renderer.opengl_renderer import OpenGLRenderer

        return scene_class(OpenGLRenderer())
    return scene_class()
