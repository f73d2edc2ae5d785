"""Simple objects drawn from formulas: what the generated scenes are made of."""

from __future__ import annotations

import colorsys
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

_EDGE = 0.95  # objects reach so far from the middle of their patch, whose border is at 1
_AMBIENT, _DIFFUSE = 0.4, 0.7
_SPECULAR, _SHININESS = 0.5, 24


class DrawnObject(NamedTuple):
    """One object on its patch of H×W pixels.

    Attributes:
        colour: float32 [H, W, 3], RGB in [0, 1].
        distance: float32 [H, W], about how many pixels outside the object's outline; negative inside.
    """

    colour: np.ndarray
    distance: np.ndarray


class _Shape(NamedTuple):
    """Outline and surface in the patch's own coordinates, both [H, W] or [H, W] times three.

    Attributes:
        distance: from the outline, positive outside; the patch's half side is 1.
        normal: x, y and z of the surface's direction; z is towards the viewer.
    """

    distance: np.ndarray
    normal: tuple[np.ndarray | float, np.ndarray | float, np.ndarray | float]


def draw_object(label: int, height: int, width: int, random: np.random.Generator) -> DrawnObject:
    """Draws an object with a colour, a texture and a light of its own.

    Args:
        label: index into `CLASSES`.
        height: of the patch in pixels, at least 4.
        width: likewise.
        random: where all choices come from.

    Returns:
        The object.
    """
    y, x = np.meshgrid(_positions(height), _positions(width), indexing="ij")
    shape = SHAPES[CLASSES[label]](x, y, random)
    albedo = _texture(x, y, random)
    shade, shine = _lighting(shape.normal, random)
    colour = np.clip(albedo * shade[..., None] + shine[..., None], 0, 1).astype(np.float32)
    return DrawnObject(colour, (shape.distance * (min(height, width) / 2)).astype(np.float32))


def _positions(count: int) -> np.ndarray:
    """Centres of pixels from -1 to 1."""
    return ((np.arange(count, dtype=np.float32) + 0.5) * (2 / count) - 1).astype(np.float32)


def _ball(x: np.ndarray, y: np.ndarray, random: np.random.Generator) -> _Shape:
    radius = np.hypot(x, y)
    depth = np.sqrt(np.maximum(1 - (radius / _EDGE) ** 2, 0))
    return _Shape(radius - _EDGE, (x / _EDGE, y / _EDGE, depth))


def _ring(x: np.ndarray, y: np.ndarray, random: np.random.Generator) -> _Shape:
    thickness = random.uniform(0.18, 0.3)
    middle = _EDGE - thickness
    radius = np.maximum(np.hypot(x, y), 1e-3)
    across = (radius - middle) / thickness
    depth = np.sqrt(np.maximum(1 - across**2, 0))
    return _Shape(np.abs(radius - middle) - thickness, (across * x / radius, across * y / radius, depth))


def _star(x: np.ndarray, y: np.ndarray, random: np.random.Generator) -> _Shape:
    """Five arms; each is two facets that meet at a ridge."""
    sector = 2 * np.pi / 5
    angle = np.arctan2(y, x) + random.uniform(0, sector)
    turned = np.mod(angle, sector) - sector / 2  # 0 in the middle of an arm
    radius = np.hypot(x, y)
    along, across = radius * np.cos(turned), radius * np.abs(np.sin(turned))
    inner = _EDGE * random.uniform(0.4, 0.55)
    notch = inner * np.cos(sector / 2), inner * np.sin(sector / 2)
    edge = np.array([notch[0] - _EDGE, notch[1]])  # from the tip to the notch
    outward = np.array([edge[1], -edge[0]]) / np.hypot(*edge)
    side = np.where(turned > 0, 0.6, -0.6)
    arm = angle - turned
    tilt = (-side * np.sin(arm), side * np.cos(arm), np.float32(0.8))
    return _Shape((along - _EDGE) * outward[0] + across * outward[1], tilt)


def _cross(x: np.ndarray, y: np.ndarray, random: np.random.Generator) -> _Shape:
    """Two bars, turned a little; their edges are bevelled."""
    half = random.uniform(0.22, 0.34)
    turn = random.uniform(-0.3, 0.3)
    reach = _EDGE / (np.cos(turn) + half * np.sin(abs(turn)))  # the corners stay inside the patch
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    bars = [np.maximum(np.abs(u) - long, np.abs(v) - short) for long, short in ((reach, half), (half, reach))]
    distance = np.minimum(*bars)
    bevel = np.clip(1 + distance / 0.15, 0, 1) * 0.7
    lying = bars[0] < bars[1]
    return _Shape(
        distance, (np.where(lying, 0, np.sign(u)) * bevel, np.where(lying, np.sign(v), 0) * bevel, 1 - bevel)
    )


def _cone(x: np.ndarray, y: np.ndarray, random: np.random.Generator) -> _Shape:
    half, flat = random.uniform(0.6, _EDGE), random.uniform(0.12, 0.28)
    base = _EDGE - flat
    height = base + _EDGE
    slope = np.hypot(half, height)
    sides = (np.abs(x) * height - (y + _EDGE) * half) / slope
    level = np.hypot(x / half, (y - base) / flat)  # 1 on the ellipse; over its slope it is a distance
    bottom = level * (level - 1) / np.maximum(np.hypot(x / half**2, (y - base) / flat**2), 1e-3)
    distance = np.minimum(np.maximum(sides, y - base), bottom)
    across = np.clip(x / np.maximum(half * (y + _EDGE) / height, 1e-3), -1, 1)
    return _Shape(distance, (across, np.float32(-0.2), np.sqrt(1 - across**2)))


def _box(x: np.ndarray, y: np.ndarray, random: np.random.Generator) -> _Shape:
    """A cuboid seen from above one of its edges: top, left and right face meet at a corner."""
    right = 2 * _EDGE * random.uniform(0.3, 0.7)
    left = 2 * _EDGE - right
    rise = random.uniform(0.25, 0.5)  # of the two upper edges
    corner_x, corner_y = left - _EDGE, rise * 2 * _EDGE - _EDGE
    u, v = x - corner_x, y - corner_y
    depth = _EDGE - corner_y  # of the front edge
    scale = np.hypot(1, rise)
    planes = (
        x - _EDGE,
        -_EDGE - x,
        (v - depth + rise * u) / scale,
        (v - depth - rise * u) / scale,
        (-v - rise * (2 * left + u)) / scale,
        (-v - rise * (2 * right - u)) / scale,
    )
    distance = np.maximum.reduce(planes)
    on_top = v < -rise * np.abs(u)
    on_right = ~on_top & (u > 0)
    faces = [(on_top, (0.0, -0.9, 0.4)), (on_right, (0.7, 0.1, 0.7)), (True, (-0.7, 0.1, 0.7))]
    conditions = [np.broadcast_to(condition, x.shape) for condition, _ in faces]
    return _Shape(
        distance,
        tuple(np.select(conditions, [normal[axis] for _, normal in faces]) for axis in range(3)),
    )


Draw = Callable[[np.ndarray, np.ndarray, np.random.Generator], _Shape]

SHAPES: dict[str, Draw] = {
    "ball": _ball,
    "box": _box,
    "star": _star,
    "ring": _ring,
    "cone": _cone,
    "cross": _cross,
}
CLASSES = tuple(SHAPES)
"""What scenes are made of; a class number is an index into it."""


def _lighting(normal: tuple, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """What a lamp above and light from everywhere do to a surface: a factor of its colour, and a highlight.

    Lambert's law, and a highlight where the surface faces halfway between lamp and viewer (Blinn, 1977).
    """
    lamp = np.array([random.uniform(-0.7, 0.7), random.uniform(-0.9, -0.3), random.uniform(0.5, 1.0)])
    lamp /= np.linalg.norm(lamp)
    halfway = lamp + (0, 0, 1)
    halfway /= np.linalg.norm(halfway)
    facing, shining = (
        sum(part * towards for part, towards in zip(normal, direction)) for direction in (lamp, halfway)
    )
    shine = random.uniform(0, _SPECULAR) * np.clip(shining, 0, 1) ** _SHININESS
    return _AMBIENT + _DIFFUSE * np.maximum(facing, 0), shine


def _texture(x: np.ndarray, y: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """One colour, or two in stripes, checks, dots or speckles; float [H, W, 3]."""
    first, second = (np.array(_colour(random), np.float32) for _ in range(2))
    kind = random.integers(5)
    if kind == 0:
        return np.broadcast_to(first, (*x.shape, 3))
    turn, wavelength = random.uniform(0, np.pi), random.uniform(0.25, 0.6)
    u = (x * np.cos(turn) + y * np.sin(turn)) / wavelength
    v = (y * np.cos(turn) - x * np.sin(turn)) / wavelength
    if kind == 1:
        chosen = np.mod(u, 1) < 0.5
    elif kind == 2:
        chosen = (np.mod(u, 1) < 0.5) ^ (np.mod(v, 1) < 0.5)
    elif kind == 3:
        chosen = np.hypot(np.mod(u, 1) - 0.5, np.mod(v, 1) - 0.5) < 0.3
    else:
        chosen = random.random(x.shape, np.float32) < 0.25
    return np.where(chosen[..., None], second, first)


def _colour(random: np.random.Generator) -> tuple[float, float, float]:
    return colorsys.hsv_to_rgb(random.random(), random.uniform(0.2, 1), random.uniform(0.45, 1))
