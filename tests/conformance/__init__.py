"""What we render equals Manim: the comparison, the set of scenes, and the docstring examples."""
