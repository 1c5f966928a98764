"""Graphs, axes, tables and matrices."""

from manim import *


class Network(Scene):
    def construct(self):
        graph = Graph([1, 2, 3, 4], [(1, 2), (2, 3), (3, 4), (4, 1), (1, 3)], layout="circular")
        self.play(Create(graph), run_time=0.4)
        self.play(graph.animate.add_edges((2, 4)), run_time=0.2)


class DirectedNetwork(Scene):
    def construct(self):
        graph = DiGraph(
            ["a", "b", "c"],
            [("a", "b"), ("b", "c"), ("c", "a")],
            labels=True,
            layout="spring",
            layout_config={"seed": 4},
        )
        self.play(Create(graph), run_time=0.3)
        self.play(graph["a"].animate.shift(UP), run_time=0.3)


class Plot(Scene):
    def construct(self):
        axes = Axes(x_range=[-3, 3], y_range=[-1, 1], axis_config={"include_numbers": True})
        curve = axes.plot(np.sin, color=BLUE)
        area = axes.get_area(curve, x_range=(0, 2), color=(GREEN, YELLOW))
        self.add(axes)
        self.play(Create(curve), run_time=0.3)
        self.play(FadeIn(area), run_time=0.2)


class Plane(Scene):
    def construct(self):
        plane = NumberPlane(background_line_style={"stroke_opacity": 0.4})
        plane.prepare_for_nonlinear_transform()
        self.add(plane)
        self.play(plane.animate.apply_function(lambda p: p + 0.3 * np.sin(p[1]) * RIGHT))
        self.play(ApplyMatrix([[1, 1], [0, 1]], plane), run_time=0.3)


class Linear(LinearTransformationScene):
    def construct(self):
        self.apply_matrix([[0, -1], [1, 0]], run_time=0.4)


class Bars(Scene):
    def construct(self):
        chart = BarChart([3, -1, 2], bar_names=["a", "b", "c"], y_range=[-2, 4, 2])
        self.play(Create(chart), run_time=0.3)
        self.play(chart.animate.change_bar_values([1, 2, -1]), run_time=0.2)


class Field(Scene):
    def construct(self):
        field = ArrowVectorField(lambda p: np.array([p[1], -p[0], 0]) / 3, x_range=[-3, 3, 1])
        self.play(FadeIn(field), run_time=0.2)
        dot = Dot(UP)
        self.add(dot)
        dot.add_updater(field.get_nudge_updater(speed=2))
        self.wait(0.3)


class Streams(Scene):
    def construct(self):
        lines = StreamLines(
            lambda p: p[1] * RIGHT - p[0] * UP,
            x_range=[-2, 2, 1],
            y_range=[-2, 2, 1],
            stroke_width=4,
            virtual_time=1,
        )
        self.add(lines)
        lines.start_animation(warm_up=True, flow_speed=2, time_width=0.6)
        self.wait(0.6)


class Grid(Scene):
    def construct(self):
        table = Table(
            [["1", "2"], ["3", "4"]],
            row_labels=[Text("r"), Text("s")],
            col_labels=[Text("a"), Text("b")],
            include_outer_lines=True,
        )
        table.add_highlighted_cell((2, 2), color=GREEN)
        self.play(table.create(), run_time=0.4)


class Brackets(Scene):
    def construct(self):
        matrix = Matrix([[1, 0], [-1, "x"]], left_bracket="(", right_bracket=")")
        matrix.set_column_colors(RED, BLUE)
        self.play(Write(matrix), run_time=0.3)
        self.play(Create(SurroundingRectangle(matrix.get_rows()[0])), run_time=0.2)
