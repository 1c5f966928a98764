"""Files beside the scene, sound, subcaptions and sections."""

from helpers import ACCENT, badge
from manim import *


class Picture(Scene):
    def construct(self):
        image = ImageMobject("picture.png").scale(6)
        image.set_resampling_algorithm(RESAMPLING_ALGORITHMS["nearest"])
        self.play(FadeIn(image), run_time=0.2)
        self.play(image.animate.shift(RIGHT).set_opacity(0.5), run_time=0.2)
        grey = ImageMobject(np.uint8([[0, 100], [200, 255]])).scale(40)
        self.add(grey.to_edge(LEFT))
        self.wait(0.1)


class Drawing(Scene):
    def construct(self):
        drawing = SVGMobject("assets/drawing.svg")
        self.play(DrawBorderThenFill(drawing), run_time=0.4)


class LocalModule(Scene):
    def construct(self):
        self.play(FadeIn(badge("ours")), run_time=0.2)
        self.play(Create(Circle(color=ACCENT)), run_time=0.2)


class Sound(Scene):
    def construct(self):
        self.wait(0.2)
        self.add_sound("tone.wav", gain=-3)
        self.play(Create(Square()), run_time=0.4)
        self.add_sound("tone.wav", time_offset=0.1)
        self.wait(0.6)


class Subcaptions(Scene):
    def construct(self):
        square = Square()
        self.add_subcaption("A square\nappears", duration=0.3)
        self.play(Create(square), run_time=0.3)
        self.play(square.animate.shift(UP), subcaption="and moves — up", run_time=0.3)


class Sections(Scene):
    def construct(self):
        square = Square()
        self.play(Create(square), run_time=0.2)
        self.next_section("The middle", section_type="loop")
        self.play(square.animate.shift(UP), run_time=0.2)
        self.wait(0.2)
        self.next_section("skipped", skip_animations=True)
        self.play(square.animate.shift(2 * RIGHT), run_time=0.2)
        self.next_section()
        self.play(square.animate.set_color(RED), run_time=0.2)


class SkippedSection(Scene):
    def construct(self):
        dot = Dot(2 * LEFT)
        self.play(FadeIn(dot), run_time=0.2)
        self.next_section(skip_animations=True)
        self.play(dot.animate.shift(2 * RIGHT), run_time=0.2)
        self.add_sound("tone.wav")
        self.wait(0.3)
        self.next_section(skip_animations=False)
        self.play(dot.animate.scale(4), run_time=0.2)
