"""Cameras that move, zoom, and look at things in space."""

from manim import *


class Moving(MovingCameraScene):
    def construct(self):
        squares = VGroup(*(Square(color=c) for c in (RED, BLUE))).arrange(RIGHT, buff=3)
        self.add(squares)
        self.camera.frame.save_state()
        self.play(self.camera.frame.animate.set(width=6).move_to(squares[0]), run_time=0.3)
        self.play(squares[0].animate.rotate(1), run_time=0.2)
        self.play(self.camera.auto_zoom(squares, margin=1), run_time=0.2)
        self.play(Restore(self.camera.frame), run_time=0.2)


class FollowingCamera(MovingCameraScene):
    def construct(self):
        dot = Dot(color=ORANGE)
        self.add(NumberPlane(), dot)
        self.camera.frame.add_updater(lambda frame: frame.move_to(dot))
        self.add(self.camera.frame)
        self.play(dot.animate.shift(2 * RIGHT + UP), run_time=0.4)


class Zoomed(ZoomedScene):
    def construct(self):
        self.add(Dot(UL, color=RED), Square())
        self.zoomed_camera.frame.move_to(UL)
        self.activate_zooming(animate=False)
        self.play(self.zoomed_camera.frame.animate.shift(RIGHT), run_time=0.3)
        self.play(self.get_zoomed_display_pop_out_animation(), run_time=0.2)


class Solid(ThreeDScene):
    def construct(self):
        self.set_camera_orientation(phi=60 * DEGREES, theta=30 * DEGREES)
        surface = Surface(
            lambda u, v: np.array([u, v, np.sin(u) * np.cos(v)]),
            u_range=[-2, 2],
            v_range=[-2, 2],
            resolution=(6, 6),
        )
        self.play(Create(surface), run_time=0.3)
        self.move_camera(phi=30 * DEGREES, zoom=1.3, run_time=0.2)


class Ambient(ThreeDScene):
    def construct(self):
        axes = ThreeDAxes(x_length=4, y_length=4, z_length=3)
        cube = Cube(side_length=1, fill_opacity=0.7)
        self.add(axes, cube)
        self.set_camera_orientation(phi=70 * DEGREES, theta=-45 * DEGREES)
        self.begin_ambient_camera_rotation(rate=2)
        self.wait(0.3)
        self.play(cube.animate.shift(OUT), run_time=0.2)
        self.stop_ambient_camera_rotation()
        self.wait(0.1)


class FixedInFrame(ThreeDScene):
    def construct(self):
        self.set_camera_orientation(phi=50 * DEGREES, theta=20 * DEGREES)
        label = Text("fixed").to_corner(UL)
        tag = Text("turned").shift(2 * RIGHT)
        self.add_fixed_in_frame_mobjects(label)
        self.add_fixed_orientation_mobjects(tag)
        self.add(Arrow3D(ORIGIN, UP + OUT, resolution=4), Dot3D(LEFT, resolution=(4, 4)))
        self.move_camera(theta=60 * DEGREES, added_anims=[label.animate.shift(DOWN)], run_time=0.3)
