"""Configuration set by the file itself."""

from manim import *

config.background_color = "#123456"
config.frame_rate = 12
config.frame_width = 10
Text.set_default(font_size=90)


class ModuleConfig(Scene):
    def construct(self):
        self.play(Write(Text("config")), run_time=0.4)
        with tempconfig({"pixel_width": 100}):
            self.add(Square())
        self.wait(0.2)
