"""Configuration taken from the ``manim.cfg`` beside the file."""

from manim import *


class FromCfg(Scene):
    def construct(self):
        self.play(Create(Square(color=YELLOW)), run_time=0.4)
