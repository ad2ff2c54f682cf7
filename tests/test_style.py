"""The figures' look: colors that can be told apart, fonts that exist, files that do not change by themselves."""

import io
import itertools
import re
import subprocess
import sys
from importlib.resources import files

import numpy as np
import pytest

from minilm import style
from minilm.style import COLORS

# Machado, Oliveira and Fernandes (2009), "A Physiologically-based Model for Simulation of Color Vision Deficiency",
# IEEE Transactions on Visualization and Computer Graphics 15(6): severity 1.0, for linear RGB.
SIGHT = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)


def linear(color):
    """Linear RGB of #RRGGBB (IEC 61966-2-1)."""
    c = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    """CIELAB (CIE 15:2004, D65) of linear RGB."""
    t = TO_XYZ @ np.clip(rgb, 0, 1) / [0.95047, 1, 1.08883]
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.fixture
def plt():
    import matplotlib as mpl
    import matplotlib.pyplot as pyplot

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.use("Agg")
        style.use_style()
        yield pyplot
        pyplot.close("all")


@pytest.mark.parametrize("sight", SIGHT)
def test_the_main_colors_can_be_told_apart(sight):
    seen = [lab(np.array(SIGHT[sight]) @ linear(color)) for color in COLORS[:4]]
    distance = min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2))
    assert distance > 15  # 2.3 is just noticeable side by side (Mahy et al. 1994)


def test_the_main_colors_stand_out_on_white():
    for color in COLORS[:4]:
        assert 1.05 / (TO_XYZ[1] @ linear(color) + 0.05) >= 3  # WCAG 2.1, 1.4.11


def test_all_eight_colors_are_different_and_matplotlib_takes_them():
    from matplotlib.colors import to_rgb

    assert len({to_rgb(color) for color in COLORS}) == 8


def test_a_line_is_told_from_the_next_without_color(plt):
    lines = [plt.plot([0, 1])[0] for _ in range(7)]
    styles = {(line.get_linestyle(), str(line._unscaled_dash_pattern)) for line in lines}
    assert len(styles) == 7
    assert [line.get_color() for line in lines] == COLORS[:7]


def test_size_font_and_background(plt):
    figure, axes = plt.subplots()
    axes.plot([1, -2], label="a")
    axes.set_xlabel("time (ms)")
    axes.legend()
    png = io.BytesIO()
    figure.savefig(png, format="png")  # a font that is missing is a warning, and a warning is an error
    png.seek(0)
    image = plt.imread(png)
    assert image.shape[:2] == (360, 640)
    assert (image[0, 0, :3] == 1).all()
    assert not axes.get_legend().get_frame_on()
    assert not axes.spines["top"].get_visible()


def test_a_figure_fits_its_labels(plt):
    figure, axes = plt.subplots()
    axes.set_xlabel("x")
    figure.draw_without_rendering()
    assert axes.xaxis.label.get_window_extent().y0 >= 0


def test_a_color_as_numbers():
    assert style.rgb("#0072B2") == (0, 114, 178)


def test_the_step_throughs_colors_are_the_palettes():
    names = {name: color for name, color in vars(style).items() if name.isupper() and isinstance(color, str)}
    css = (files("minilm.trace") / "step.css").read_text("utf-8")
    root = css.partition("{")[2].partition("}")[0]
    variables = {name: color.upper() for name, color in re.findall(r"--(\w+):(#\w+)", root)}
    assert variables == {"f": names["BLUE"], "b": names["VERMILLION"], "p": names["GREEN"], "i": names["SKY"]}
    assert {color.upper() for color in re.findall(r"#[0-9a-fA-F]{6}", css)} <= set(names.values())
    tints = {tuple(map(int, found)) for found in re.findall(r"rgba\((\d+),(\d+),(\d+),", css)}
    assert tints - {style.rgb(color) for color in names.values()} == {(128, 128, 128)}  # on white as on black


def test_the_package_does_not_import_matplotlib():
    code = "import sys, minilm.book; print('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
