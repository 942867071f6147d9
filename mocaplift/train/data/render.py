"""Pictures of people, made on the CPU: dressed meshes in a procedural place, seen by one of our cameras.

OpenGL without a window (EGL); Mesa's llvmpipe is enough. The camera is `values.Camera` itself, so a world point
appears at exactly the pixel that `cameras.project` tells.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from mocaplift.cameras import cam_points, project
from mocaplift.errors import InvalidData, MissingDependency
from mocaplift.train.data import shaders
from mocaplift.train.data.outfits import Figure
from mocaplift.train.data.surroundings import FLOORS, MOST_PANELS, Light, Surroundings
from mocaplift.values import Camera

SAMPLES = 4  # of each pixel along edges: the most that llvmpipe has
SHADOW_TEXELS = 768
OVERHEAD_TEXELS = 160
# Nothing is drawn nearer or farther than this from the camera's plane, metres.
DEPTH_RANGE = (0.05, 100.0)
# The maps of shadows reach this far past the bodies, metres.
SHADOW_MARGIN = 0.3
# Height that empty texels of the overhead map hold: far above anything that hides the sky from the floor, metres.
NOTHING_OVERHEAD = 10.0
# Sine of the lowest elevation of the light for which shadows are complete.
LOWEST_SUN = 0.2


class Renderer:
    """One camera in one place with a fixed cast: `draw` makes a picture of each frame.

    Use it as a context manager, so that the graphics context is given back.
    """

    def __init__(self, camera: Camera, surroundings: Surroundings, figures: Sequence[Figure]) -> None:
        """Compile the programs, upload the figures and paint the empty place.

        Raises:
            MissingDependency: moderngl or an EGL driver is absent.
        """
        self._context = _create_context()
        self._camera = camera
        self._figures = tuple(figures)
        width, height = camera.size
        make = self._context.program
        screen = shaders.SCREEN_VERTEX
        self._place = make(vertex_shader=screen, fragment_shader=shaders.PLACE_FRAGMENT)
        self._floor = make(vertex_shader=screen, fragment_shader=shaders.FLOOR_FRAGMENT)
        self._shadow = make(vertex_shader=shaders.SHADOW_VERTEX, fragment_shader=shaders.SHADOW_FRAGMENT)
        self._overhead = make(vertex_shader=shaders.SHADOW_VERTEX, fragment_shader=shaders.OVERHEAD_FRAGMENT)
        self._person = make(vertex_shader=shaders.PERSON_VERTEX, fragment_shader=shaders.PERSON_FRAGMENT)
        self._picture = self._context.framebuffer(
            color_attachments=[self._context.renderbuffer((width, height), 3, samples=SAMPLES)],
            depth_attachment=self._context.depth_renderbuffer((width, height), samples=SAMPLES),
        )
        self._resolved = self._context.framebuffer([self._context.renderbuffer((width, height), 3)])
        self._make_maps()
        self._meshes = [_Mesh(self._context, self._shadow, self._overhead, self._person, f) for f in figures]
        self._set_camera(self._place)
        self._set_camera(self._person)
        self._set_light(surroundings.light)
        self._paint_place(surroundings)

    def __enter__(self) -> Renderer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the graphics context back."""
        with suppress(AttributeError):
            self._context.release()

    def draw(self, meshes: Sequence[Float[np.ndarray, "V 3"]]) -> UInt8[np.ndarray, "H W 3"]:
        """Return the RGB picture of all figures at these vertices (world metres).

        Raises:
            InvalidData: another number of meshes than figures, or a mesh with another number of vertices.
        """
        if len(meshes) != len(self._figures):
            raise InvalidData(f"{len(meshes)} meshes were given for {len(self._figures)} figures")
        image = self._empty.copy()
        if not meshes:
            return image
        for mesh, vertices in zip(self._meshes, meshes, strict=True):
            mesh.move(vertices)
        corners = np.concatenate([np.stack([mesh.min(axis=0), mesh.max(axis=0)]) for mesh in meshes])
        low, high = corners.min(axis=0) - SHADOW_MARGIN, corners.max(axis=0) + SHADOW_MARGIN
        left, top, width, height = self._window(low, high)
        if width <= 0 or height <= 0:
            return image
        self._cast_shadows(low, high)
        for target in (self._picture, self._resolved):
            target.scissor = (left, top, width, height)
        self._picture.use()
        self._picture.clear()
        self._context.disable(self._gl.DEPTH_TEST)
        self._screen(self._floor)
        self._context.enable(self._gl.DEPTH_TEST)
        # Rows run downwards here, so triangles that are counter-clockwise to the camera arrive clockwise.
        self._context.front_face = "cw"
        self._context.enable(self._gl.CULL_FACE)
        for mesh, figure in zip(self._meshes, self._figures, strict=True):
            _set(self._person, figure.look)
            mesh.person.render()
        self._context.disable(self._gl.CULL_FACE)
        self._context.copy_framebuffer(self._resolved, self._picture)
        data = self._resolved.read(viewport=(left, top, width, height), components=3, alignment=1)
        image[top : top + height, left : left + width] = np.frombuffer(data, np.uint8).reshape(
            height, width, 3
        )
        return image

    def _window(self, low: Float[np.ndarray, 3], high: Float[np.ndarray, 3]) -> tuple[int, int, int, int]:
        """Return the part of the picture (left, top, width, height) that the box and its shadow can touch."""
        box = np.stack(np.meshgrid(*zip(low, high, strict=True)), axis=-1).reshape(-1, 3)
        light = np.array(self._light.direction)
        drop = np.maximum(box[:, 1:2], 0.0) / max(light[1], LOWEST_SUN)
        points = np.concatenate([box, box - drop * light])
        width, height = self._camera.size
        if cam_points(self._camera, points)[:, 2].min() < DEPTH_RANGE[0]:
            return 0, 0, width, height
        xy = project(self._camera, points)
        first = np.clip(np.floor(xy.min(axis=0)) - 1, 0, self._camera.size).astype(int)
        last = np.clip(np.ceil(xy.max(axis=0)) + 2, 0, self._camera.size).astype(int)
        return int(first[0]), int(first[1]), int(last[0] - first[0]), int(last[1] - first[1])

    def _make_maps(self) -> None:
        context, (width, height) = self._context, self._camera.size
        import moderngl

        self._gl = moderngl
        self._shadow_map = context.depth_texture((SHADOW_TEXELS, SHADOW_TEXELS))
        self._shadow_map.compare_func = ""
        self._shadow_map.repeat_x = self._shadow_map.repeat_y = False
        self._shadow_target = context.framebuffer(depth_attachment=self._shadow_map)
        self._overhead_map = context.texture((OVERHEAD_TEXELS, OVERHEAD_TEXELS), 1, dtype="f4")
        self._overhead_map.repeat_x = self._overhead_map.repeat_y = False
        self._overhead_target = context.framebuffer(
            [self._overhead_map], context.depth_renderbuffer((OVERHEAD_TEXELS, OVERHEAD_TEXELS))
        )
        self._place_colour = context.texture((width, height), 3)
        self._place_ground = context.texture((width, height), 4, dtype="f4")
        for unit, texture in enumerate(
            (self._shadow_map, self._overhead_map, self._place_colour, self._place_ground)
        ):
            texture.use(unit)
        _set(self._floor, {"shadow_map": 0, "overhead": 1, "place": 2, "ground": 3})
        _set(self._person, {"shadow_map": 0})

    def _set_camera(self, program: Any) -> None:
        # GLSL reads matrices column by column.
        _set(
            program,
            {
                "intrinsics": tuple(self._camera.intrinsics.T.ravel()),
                "lens": list(self._camera.distortion),
                "cam_from_world": tuple(self._camera.cam_from_world.T.ravel()),
                "size": self._camera.size,
                "depth_range": DEPTH_RANGE,
            },
        )

    def _set_light(self, light: Light) -> None:
        self._light = light
        rotation, shift = self._camera.cam_from_world[:3, :3], self._camera.cam_from_world[:3, 3]
        eye = tuple(-rotation.T @ shift)
        values = {
            "light": light.direction,
            "sun": light.sun,
            "sky": light.sky,
            "bounce": light.bounce,
            "eye": eye,
        }
        _set(self._person, {**values, "spread": 1.0})
        _set(self._floor, {"shade": light.shade, "spread": light.softness})

    def _paint_place(self, surroundings: Surroundings) -> None:
        room = surroundings.room or (0.0, 0.0, 0.0, 0.0, 0.0)
        panels = surroundings.panels
        boxes = [(*p.low, *p.high) for p in panels] + [(0.0,) * 4] * (MOST_PANELS - len(panels))
        looks = [(*p.colour, float(p.wall)) for p in panels] + [(0.0,) * 4] * (MOST_PANELS - len(panels))
        wall = np.array(surroundings.wall_colours[0])
        _set(
            self._place,
            {
                "is_room": int(surroundings.room is not None),
                "room_low": (room[0], 0.0, room[1]),
                "room_high": (room[2], room[4], room[3]),
                "wall_colour": surroundings.wall_colours[0],
                "wall_colour_2": surroundings.wall_colours[1],
                "wall_stripe": surroundings.wall_stripe,
                "ceiling_colour": tuple(0.5 + 0.45 * wall),
                "floor_colour": surroundings.floor_colours[0],
                "floor_colour_2": surroundings.floor_colours[1],
                "floor_kind": FLOORS.index(surroundings.floor),
                "floor_scale": surroundings.floor_scale,
                "sky_low": surroundings.sky_colours[0],
                "sky_high": surroundings.sky_colours[1],
                "far_colour": surroundings.far_colour,
                "seed": float(surroundings.seed),
                "num_panels": len(panels),
                "panel_box": boxes,
                "panel_look": looks,
            },
        )
        target = self._context.framebuffer([self._place_colour, self._place_ground])
        target.use()
        self._context.disable(self._gl.DEPTH_TEST)
        self._screen(self._place)
        width, height = self._camera.size
        data = target.read(components=3, alignment=1)
        self._empty = np.frombuffer(data, dtype=np.uint8).reshape(height, width, 3)

    def _screen(self, program: Any) -> None:
        self._context.vertex_array(program, []).render(vertices=3)

    def _cast_shadows(self, low: Float[np.ndarray, 3], high: Float[np.ndarray, 3]) -> None:
        """Fill the map of the sun's depth and the map of heights over the floor, for what this box holds."""
        self._context.enable(self._gl.DEPTH_TEST)
        light_from_world = _light_view(np.array(self._light.direction), low, high)
        _set(self._shadow, {"light_from_world": tuple(light_from_world.T.ravel())})
        for program in (self._floor, self._person):
            _set(program, {"light_from_world": tuple(light_from_world.T.ravel())})
        self._shadow_target.use()
        self._shadow_target.clear(depth=1.0)
        for mesh in self._meshes:
            mesh.shadow.render()
        from_below, box = _overhead_view(low, high)
        _set(self._overhead, {"light_from_world": tuple(from_below.T.ravel())})
        _set(self._floor, {"overhead_box": box})
        self._overhead_target.use()
        self._overhead_target.clear(red=NOTHING_OVERHEAD, depth=1.0)
        for mesh in self._meshes:
            mesh.overhead.render()


def render(
    camera: Camera,
    surroundings: Surroundings,
    figures: Sequence[Figure],
    meshes: Sequence[Float[np.ndarray, "T V 3"]],
) -> Iterator[UInt8[np.ndarray, "H W 3"]]:
    """Yield the picture of every frame, RGB.

    Raises:
        MissingDependency: moderngl or an EGL driver is absent.
        InvalidData: figures and meshes do not fit together.
    """
    with Renderer(camera, surroundings, figures) as renderer:
        for frame in zip(*meshes, strict=True):
            yield renderer.draw(frame)


class _Mesh:
    """One figure on the graphics side: its buffers, and how each program reads them."""

    def __init__(self, context: Any, shadow: Any, overhead: Any, person: Any, figure: Figure) -> None:
        self._num_vertices = len(figure.rest)
        self._faces = figure.faces
        self._mould = figure.mould
        fixed = np.concatenate([figure.rest, figure.thickness[:, None]], axis=1)
        self._moving = context.buffer(reserve=self._num_vertices * 6 * 4, dynamic=True)
        still = context.buffer(np.ascontiguousarray(fixed, dtype="f4").tobytes())
        index = context.buffer(np.ascontiguousarray(figure.faces, dtype="i4").tobytes())
        place_only = [(self._moving, "3f 3x4", "position")]
        self.shadow = context.vertex_array(shadow, place_only, index)
        self.overhead = context.vertex_array(overhead, place_only, index)
        self.person = context.vertex_array(
            person,
            [(self._moving, "3f 3f", "position", "normal"), (still, "3f 1f", "rest", "thickness")],
            index,
        )
        self._incidence = _incidence(figure.faces, self._num_vertices)

    def move(self, vertices: Float[np.ndarray, "V 3"]) -> None:
        """Upload the vertices of a frame and their normals.

        Raises:
            InvalidData: there are more or fewer vertices than the figure has.
        """
        if vertices.shape != (self._num_vertices, 3):
            raise InvalidData(
                f"a mesh of {self._num_vertices} vertices was given {list(vertices.shape)} numbers"
            )
        moulded = vertices if self._mould is None else self._mould @ vertices
        place = np.ascontiguousarray(moulded, dtype=np.float32)
        a, b, c = (place[self._faces[:, k]] for k in range(3))
        normal = self._incidence @ np.cross(b - a, c - a)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12
        self._moving.write(np.concatenate([place, normal], axis=1).astype("f4").tobytes())


def _incidence(faces: np.ndarray, num_vertices: int) -> Any:
    from scipy.sparse import csr_array

    corners = faces.ravel()
    owner = np.repeat(np.arange(len(faces)), 3)
    ones = np.ones(len(corners), dtype=np.float32)
    return csr_array((ones, (corners, owner)), shape=(num_vertices, len(faces)))


def _light_view(
    direction: Float[np.ndarray, 3], low: Float[np.ndarray, 3], high: Float[np.ndarray, 3]
) -> Float[np.ndarray, "4 4"]:
    """Return the map from the world to the light's clip cube; the box and its shadow lie inside."""
    helper = np.eye(3)[np.abs(direction).argmin()]
    across = np.cross(helper, direction)
    across /= np.linalg.norm(across)
    axes = np.stack([across, np.cross(direction, across), -direction])  # z grows away from the light
    low = np.array([low[0], min(low[1], 0.0), low[2]])
    corners = np.stack(np.meshgrid(*zip(low, high, strict=True)), axis=-1).reshape(-1, 3) @ axes.T
    # A shadow on the floor lies on the same rays as its caster, so only the depth must reach the floor's far end.
    first, last = corners.min(axis=0), corners.max(axis=0)
    last[2] += (high[1] - low[1]) / max(direction[1], LOWEST_SUN)
    scale = 2.0 / (last - first)
    view = np.eye(4)
    view[:3, :3] = axes * scale[:, None]
    view[:3, 3] = -1.0 - first * scale
    return view


def _overhead_view(
    low: Float[np.ndarray, 3], high: Float[np.ndarray, 3]
) -> tuple[Float[np.ndarray, "4 4"], tuple[float, float, float, float]]:
    """Return the view from below the floor (lowest parts are nearest), and the map's place: x, z, width, depth."""
    extent = high - low
    view = np.zeros((4, 4))
    view[0, [0, 3]] = 2 / extent[0], -1 - 2 * low[0] / extent[0]
    view[1, [2, 3]] = 2 / extent[2], -1 - 2 * low[2] / extent[2]
    view[2, [1, 3]] = 2 / extent[1], -1 - 2 * low[1] / extent[1]
    view[3, 3] = 1.0
    return view, (float(low[0]), float(low[2]), float(extent[0]), float(extent[2]))


def _set(program: Any, values: dict[str, Any]) -> None:
    """Give a program those of the values that it uses; the compiler drops the others."""
    for name, value in values.items():
        if name in program:
            program[name].value = value


def _create_context() -> Any:
    try:
        import moderngl
    except ImportError as error:
        raise MissingDependency("moderngl is not installed; pip install 'mocaplift[train]'") from error
    try:
        return moderngl.create_context(standalone=True, backend="egl")  # type: ignore[arg-type]
    except Exception as error:  # moderngl raises bare Exception when it finds no library or driver
        raise MissingDependency(
            f"no OpenGL without a window here ({error}); on Debian: apt install libegl1 libegl-mesa0 "
            "libgl1-mesa-dri"
        ) from error
