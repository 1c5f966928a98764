"""Words: Pango text, LaTeX, Typst, code, numbers."""

from manim import *


class PlainText(Scene):
    def construct(self):
        text = Text("Grüße, Manim! fi", t2c={"Manim": BLUE}, t2s={"Grüße": ITALIC}, font_size=60)
        self.play(Write(text), run_time=0.5)
        self.play(text.animate.set_color_by_gradient(RED, YELLOW), run_time=0.2)


class Markup(Scene):
    def construct(self):
        text = MarkupText('<b>bold</b> <span foreground="red"><i>red</i></span> x<sup>2</sup>')
        self.play(FadeIn(text, scale=0.5), run_time=0.3)


class Lines(Scene):
    def construct(self):
        paragraph = Paragraph("one line", "a second, longer line", "end", alignment="center")
        self.play(AddTextLetterByLetter(paragraph[0], time_per_char=0.05))
        self.play(FadeIn(paragraph), run_time=0.2)


class Listing(Scene):
    def construct(self):
        code = Code(
            code_string="def area(r: float) -> float:\n    return 3.14 * r**2  # close\n",
            language="python",
            background="window",
        )
        self.play(FadeIn(code), run_time=0.3)


class Formula(Scene):
    def construct(self):
        tex = Tex(r"Euler: $e^{i\pi} + 1 = 0$", font_size=72)
        self.play(Write(tex), run_time=0.4)
        self.wait(0.1)


class FormulaParts(Scene):
    def construct(self):
        formula = MathTex("a^2", "+", "b^2", "=", "c^2", tex_to_color_map={"c": YELLOW})
        formula[0].set_color(RED)
        self.play(FadeIn(formula), run_time=0.2)
        self.play(Indicate(formula[2]), Create(SurroundingRectangle(formula[-1])), run_time=0.3)


class MatchingTex(Scene):
    def construct(self):
        start = MathTex("x", "+", "y", "=", "4")
        end = MathTex("x", "=", "4", "-", "y")
        self.add(start)
        self.play(TransformMatchingTex(start, end, path_arc=PI / 2), run_time=0.4)
        self.wait(0.1)


class OwnTemplate(Scene):
    def construct(self):
        template = TexTemplate()
        template.add_to_preamble(r"\usepackage{cancel}")
        self.add(MathTex(r"\frac{\cancel{2}x}{\cancel{2}y}", tex_template=template))
        self.play(Create(BulletedList("one", "two").to_edge(DOWN)), run_time=0.3)


class TypstWords(Scene):
    def construct(self):
        self.play(Write(Typst("*Hello* from _Typst!_", color=YELLOW, font_size=72)), run_time=0.3)


class TypstFormula(Scene):
    def construct(self):
        formula = MathTypst("{{ a^2 + b^2 : lhs }} = {{ c^2 }}", font_size=72)
        formula.select("lhs").set_color(BLUE)
        self.play(FadeIn(formula), run_time=0.2)
        self.play(formula.animate.shift(UP), run_time=0.2)


class Numbers(Scene):
    def construct(self):
        number = DecimalNumber(0, num_decimal_places=0, unit=r"\,m")
        self.play(ChangeDecimalToValue(number, 3), run_time=0.4)
        variable = Variable(1, "n", var_type=Integer).next_to(number, DOWN)
        self.add(variable)
        self.play(variable.tracker.animate.set_value(3), run_time=0.3)
