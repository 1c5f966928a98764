"""Scenes that share a base, for ``-a``; Manim counts the base as one of them."""

from manim import *


class _Base(Scene):
    colour = RED

    def construct(self):
        self.play(Create(Square(color=self.colour)), run_time=0.2)


class First(_Base):
    colour = BLUE


class Second(_Base):
    def construct(self):
        super().construct()
        self.play(FadeIn(Circle()), run_time=0.2)
