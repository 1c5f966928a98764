"""Shapes, the ways to animate them, and what a play may leave behind."""

from manim import *


class SquareBecomesCircle(Scene):
    def construct(self):
        square = Square(color=BLUE, fill_opacity=0.5)
        self.play(Create(square), run_time=0.4)
        self.play(Transform(square, Circle(color=RED, fill_opacity=0.5)), run_time=0.4)
        self.play(FadeOut(square), run_time=0.2)


class ShapeGallery(Scene):
    def construct(self):
        shapes = VGroup(
            Star(color=YELLOW, fill_opacity=1),
            Annulus(color=TEAL),
            Arc(angle=PI, stroke_width=12),
            RegularPolygon(7, color=GREEN),
            RoundedRectangle(corner_radius=0.4, width=2, height=1.5),
            DashedVMobject(Circle(), num_dashes=9),
            DoubleArrow(LEFT, RIGHT),
            CubicBezier(LEFT, UP, DOWN, RIGHT),
            Angle(Line(ORIGIN, RIGHT), Line(ORIGIN, UP + RIGHT)),
            Brace(Line(LEFT, RIGHT)),
        )
        shapes.arrange_in_grid(2, 5, buff=0.6).scale_to_fit_width(12)
        self.play(Create(shapes, lag_ratio=0.1), run_time=0.5)


class Booleans(Scene):
    def construct(self):
        left, right = Circle().shift(0.4 * LEFT), Square().shift(0.4 * RIGHT)
        results = VGroup(
            *(
                kind(left, right, fill_opacity=0.6, color=color)
                for kind, color in (
                    (Union, RED),
                    (Intersection, GREEN),
                    (Difference, BLUE),
                    (Exclusion, PURPLE),
                )
            )
        ).arrange(RIGHT)
        self.play(FadeIn(results, shift=UP), run_time=0.3)


class Layers(Scene):
    def construct(self):
        back, middle, front = (Square(side_length=s, fill_opacity=1) for s in (3, 2, 1))
        back.set_color_by_gradient(RED, BLUE).set_sheen_direction(UR)
        middle.set_fill(GREEN, 0.5).set_stroke(WHITE, 8, background=True).set_z_index(2)
        front.set_fill(YELLOW).set_stroke(BLACK, 6)
        self.add_foreground_mobject(front)
        self.add(middle, back)
        self.play(middle.animate.shift(RIGHT), back.animate.shift(UP), run_time=0.3)
        self.bring_to_front(back)
        self.play(Rotate(back, PI / 5), run_time=0.2)


class Groups(Scene):
    def construct(self):
        dots = VGroup(*(Dot(radius=0.2, color=c) for c in (RED, GREEN, BLUE))).arrange(RIGHT)
        self.play(LaggedStart(*(GrowFromCenter(dot) for dot in dots), lag_ratio=0.4, run_time=0.4))
        self.play(
            AnimationGroup(dots[0].animate.shift(UP), dots[1].animate.shift(DOWN)), run_time=0.3
        )
        self.play(Succession(Indicate(dots[0]), Wiggle(dots[2]), run_time=0.5))
        self.play(LaggedStartMap(FadeOut, dots, run_time=0.3))


class Effects(Scene):
    def construct(self):
        square = Square(color=ORANGE)
        self.play(SpinInFromNothing(square), rate_func=rate_functions.ease_out_bounce, run_time=0.3)
        self.play(square.animate(path_arc=PI / 2, rate_func=there_and_back).shift(2 * RIGHT))
        self.play(
            Flash(square), ShowPassingFlash(square.copy().set_color(BLUE)), Circumscribe(square)
        )


class Waits(Scene):
    """Frame counts of times that are no whole number of frames."""

    def construct(self):
        self.add(Square())
        self.wait(0.34)
        self.play(Create(Circle()), run_time=0.21)
        self.wait(0.5, frozen_frame=False)
        self.pause(0.07)
        self.play(Wait(0.2))


class KeepsState(Scene):
    """What a play leaves behind steers the next ones."""

    def construct(self):
        dot, square = Dot(), Square().shift(2 * LEFT)
        self.play(square.animate.shift(dot.get_center() + UP), run_time=0.2)
        if square.get_y() > 0.5:
            self.play(FadeIn(dot), run_time=0.2)
        square.save_state()
        self.play(square.animate.scale(2), run_time=0.2)
        self.play(Restore(square), ReplacementTransform(dot, Circle()), run_time=0.2)
        for _ in self.mobjects:
            self.wait(0.1)
        self.add(Line(LEFT, (self.time + 1) * RIGHT))
        self.wait(0.1)


class NoPlays(Scene):
    def construct(self):
        self.add(Triangle(color=PURPLE, fill_opacity=0.7))


class Background(Scene):
    def construct(self):
        self.camera.background_color = "#20304a"
        self.play(Create(Square(color=WHITE)), run_time=0.3)


class SeededRandom(Scene):
    """Randomness between plays and while frames are drawn."""

    def construct(self):
        dots = VGroup(
            *(Dot(point, color=random_bright_color()) for point in np.random.rand(20, 3) * 4 - 2)
        )
        self.play(FadeIn(dots), run_time=0.2)
        walker = Dot().add_updater(lambda dot: dot.shift(0.2 * np.random.randn() * RIGHT))
        self.add(walker)
        self.play(Rotate(dots, PI / 3), run_time=0.3)
        walker.clear_updaters()
        self.play(walker.animate.move_to((np.random.rand(), np.random.rand(), 0)), run_time=0.2)


class ManyPlays(Scene):
    def construct(self):
        square = Square()
        for direction in (UP, RIGHT, DOWN, LEFT, UR, DL):
            self.play(square.animate.shift(direction), run_time=0.14)
