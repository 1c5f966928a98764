"""The commands of ``manim-kernel``, one module for each group."""
