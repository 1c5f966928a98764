"""Updaters and all that changes while frames are drawn."""

from manim import *


class TimedUpdater(Scene):
    def construct(self):
        square = Square().add_updater(lambda m, dt: m.rotate(2 * dt))
        self.add(square)
        self.wait(0.4)
        self.play(FadeIn(Dot()), run_time=0.2)
        square.suspend_updating()
        self.wait(0.2)
        square.resume_updating()
        self.wait(0.2)


class FrameUpdater(Scene):
    """An updater without dt that goes on from where it was: one step for each call."""

    def construct(self):
        dot = Dot(3 * LEFT).add_updater(lambda m: m.shift(0.1 * RIGHT))
        self.add(dot)
        self.play(Create(Square()), run_time=0.4)
        self.play(FadeIn(Circle().move_to(dot)), run_time=0.3)
        dot.clear_updaters()
        self.play(dot.animate.shift(UP), run_time=0.2)


class CountsCalls(Scene):
    """What updaters did outside the scene's objects is seen by the next play."""

    def construct(self):
        calls = []
        square = Square().add_updater(lambda m: calls.append(1))
        self.add(square)
        self.play(square.animate.shift(UP), run_time=0.3)
        self.add(Text(str(len(calls))))
        self.wait(0.2)


class Following(Scene):
    def construct(self):
        tracker = ValueTracker(1)
        circle = always_redraw(lambda: Circle(radius=tracker.get_value(), color=RED))
        label = always_redraw(lambda: Text(f"{tracker.get_value():.1f}").next_to(circle, UP))
        self.add(circle, label)
        self.play(tracker.animate.set_value(2), run_time=0.4)
        self.play(tracker.animate.increment_value(-1.5), rate_func=linear, run_time=0.3)


class Traced(Scene):
    def construct(self):
        dot = Dot(RIGHT)
        trace = TracedPath(dot.get_center, stroke_color=YELLOW, dissipating_time=0.3)
        self.add(dot, trace)
        self.play(Rotate(dot, PI, about_point=ORIGIN), run_time=0.5)
        self.wait(0.3)


class StopsWhen(Scene):
    def construct(self):
        dot = Dot(3 * LEFT).add_updater(lambda m, dt: m.shift(6 * dt * RIGHT))
        self.add(dot)
        self.wait_until(lambda: dot.get_x() > 0, max_time=2)
        dot.clear_updaters()
        self.play(Flash(dot), run_time=0.2)
        self.wait(1, stop_condition=lambda: True)


class SceneUpdater(Scene):
    def construct(self):
        square, seen = Square(), ValueTracker()
        self.add(square)
        self.add_updater(lambda dt: square.shift(dt * UP))
        self.add_updater(lambda dt: seen.increment_value(dt))
        self.wait(0.3)
        self.play(Create(Circle()), run_time=0.2)
        self.add(Text(f"{seen.get_value():.3f}").to_edge(UP))
        self.wait(0.2)


class Paths(Scene):
    def construct(self):
        dot, ghost = Dot(), Dot(color=RED)
        self.play(MoveAlongPath(dot, Circle(radius=2)), run_time=0.3)
        turn_animation_into_updater(FadeIn(ghost, run_time=0.4))
        self.add(ghost)
        self.play(ChangeSpeed(dot.animate(run_time=0.5).shift(2 * DOWN), {0.3: 1, 0.6: 0.5, 1: 1}))
        self.play(Homotopy(lambda x, y, z, t: (x + t * y, y, z), Square()), run_time=0.3)
        self.play(UpdateFromAlphaFunc(dot, lambda m, a: m.set_opacity(1 - a)), run_time=0.2)
