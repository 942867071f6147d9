"""Rotations: conventions by hand, everything else against scipy and by property."""

from itertools import permutations

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from mocaplift import rotations
from mocaplift.errors import InvalidData

HALF = np.sqrt(0.5)
X, Y, Z = np.eye(3)
ORDERS = ["".join(order) for order in permutations("XYZ")]
numbers = st.floats(-1, 1, allow_nan=False, width=32).filter(lambda x: abs(x) > 1e-3)
quaternions = arrays.arrays(float, (4,), elements=numbers).map(lambda q: q / np.linalg.norm(q))
vectors = arrays.arrays(float, (3,), elements=numbers)
quick = settings(max_examples=40, deadline=None)


def random_turns(count: int = 200) -> Rotation:
    return Rotation.random(count, rng=np.random.default_rng(4))


def wxyz(turn: Rotation) -> np.ndarray:
    return turn.as_quat(scalar_first=True)


def assert_same_turn(a, b, atol=1e-9) -> None:
    sign = np.sign(np.sum(np.asarray(a) * b, axis=-1, keepdims=True))
    np.testing.assert_allclose(a, sign * b, atol=atol)


class TestByHand:
    def test_w_comes_first_and_i_times_j_is_k(self) -> None:
        i, j, k = np.eye(4)[1:]
        np.testing.assert_array_equal(rotations.multiply(i, j), k)
        np.testing.assert_array_equal(rotations.multiply(j, i), -k)
        np.testing.assert_array_equal(rotations.multiply(rotations.IDENTITY, k), k)

    def test_turns_are_right_handed(self) -> None:
        about_z = np.array([HALF, 0, 0, HALF])
        np.testing.assert_allclose(rotations.rotate(about_z, X), Y, atol=1e-15)
        np.testing.assert_allclose(rotations.rotate(np.array([HALF, HALF, 0, 0]), Y), Z, atol=1e-15)
        np.testing.assert_allclose(rotations.rotate(np.array([HALF, 0, HALF, 0]), Z), X, atol=1e-15)

    def test_the_second_factor_happens_first(self) -> None:
        about_x, about_z = rotations.about_axis("X", np.pi / 2), rotations.about_axis("Z", np.pi / 2)
        # About X: y to z, which stays under the turn about Z. The other way round y goes to -x.
        np.testing.assert_allclose(rotations.rotate(rotations.multiply(about_z, about_x), Y), Z, atol=1e-15)
        np.testing.assert_allclose(rotations.rotate(rotations.multiply(about_x, about_z), Y), -X, atol=1e-15)

    def test_a_quarter_turn_about_x_as_matrix(self) -> None:
        matrix = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
        quarter = np.array([HALF, HALF, 0, 0])
        np.testing.assert_allclose(rotations.to_matrix(quarter), matrix, atol=1e-15)
        assert_same_turn(rotations.from_matrix(matrix), quarter)

    def test_a_rotation_vector_is_axis_times_angle(self) -> None:
        np.testing.assert_allclose(
            rotations.from_rotvec(np.array([0, np.pi / 2, 0])), [HALF, 0, HALF, 0], atol=1e-15
        )
        np.testing.assert_allclose(
            rotations.to_rotvec(np.array([HALF, 0, 0, -HALF])), [0, 0, -np.pi / 2], atol=1e-15
        )

    @pytest.mark.parametrize(("axis", "vector"), [("X", X), ("Y", Y), ("Z", Z)])
    def test_about_axis(self, axis, vector) -> None:
        np.testing.assert_allclose(
            rotations.about_axis(axis, 0.7), [np.cos(0.35), *np.sin(0.35) * vector], atol=1e-15
        )

    def test_euler_angles_are_intrinsic_in_the_order_of_the_letters(self) -> None:
        turned = rotations.from_euler_deg("ZXY", np.array([90.0, 90.0, 0.0]))
        # R = Rz Rx: z goes to -y about X, and -y to x about Z.
        np.testing.assert_allclose(rotations.rotate(turned, Z), X, atol=1e-12)
        np.testing.assert_allclose(rotations.rotate(turned, X), Y, atol=1e-12)
        turned = rotations.from_euler_deg("ZXY", np.array([90.0, 0.0, 90.0]))
        # R = Rz Ry: x goes to -z about Y, which stays.
        np.testing.assert_allclose(rotations.rotate(turned, X), -Z, atol=1e-12)
        np.testing.assert_allclose(
            rotations.to_euler_deg("ZXY", rotations.about_axis("X", np.radians(30.0))), [0, 30, 0], atol=1e-12
        )

    def test_up_is_z_elsewhere_and_y_here(self) -> None:
        np.testing.assert_array_equal(rotations.y_up_from_z_up(Z), Y)
        np.testing.assert_array_equal(rotations.y_up_from_z_up(np.array([1.0, 2.0, 3.0])), [1.0, 3.0, -2.0])
        assert np.linalg.det(rotations.Y_UP_FROM_Z_UP) == pytest.approx(1.0)

    def test_the_angle_between_two_turns(self) -> None:
        a, b = rotations.about_axis("Y", 0.2), rotations.about_axis("Y", -0.9)
        assert rotations.angle_between(a, b) == pytest.approx(1.1)
        assert rotations.angle_between(a, -b) == pytest.approx(1.1)

    def test_opposite_vectors_are_half_a_turn_apart(self) -> None:
        for axis in (X, Y, Z, np.array([0.3, -0.5, 2.0])):
            turn = rotations.from_two_vectors(axis, -2 * axis)
            np.testing.assert_allclose(rotations.rotate(turn, axis), -axis, atol=1e-9)
            assert rotations.angle_between(turn, rotations.IDENTITY) == pytest.approx(np.pi)


class TestAgainstScipy:
    def test_products_vectors_and_matrices(self) -> None:
        a, b = random_turns(), Rotation.random(200, rng=np.random.default_rng(5))
        v = np.random.default_rng(6).normal(size=(200, 3))
        assert_same_turn(rotations.multiply(wxyz(a), wxyz(b)), wxyz(a * b))
        np.testing.assert_allclose(rotations.rotate(wxyz(a), v), a.apply(v), atol=1e-12)
        np.testing.assert_allclose(rotations.to_matrix(wxyz(a)), a.as_matrix(), atol=1e-12)
        assert_same_turn(rotations.from_matrix(a.as_matrix()), wxyz(a))
        np.testing.assert_allclose(rotations.to_rotvec(wxyz(a)), a.as_rotvec(), atol=1e-9)
        assert_same_turn(rotations.from_rotvec(a.as_rotvec()), wxyz(a))
        np.testing.assert_allclose(
            rotations.angle_between(wxyz(a), wxyz(b)), (a.inv() * b).magnitude(), atol=1e-9
        )

    @pytest.mark.parametrize("order", ORDERS)
    def test_euler_angles_in_every_order(self, order) -> None:
        turn = random_turns()
        np.testing.assert_allclose(
            rotations.to_euler_deg(order, wxyz(turn)), turn.as_euler(order, degrees=True), atol=1e-7
        )
        degrees = np.random.default_rng(7).uniform(-400, 400, (50, 3))
        assert_same_turn(
            rotations.from_euler_deg(order, degrees), wxyz(Rotation.from_euler(order, degrees, degrees=True))
        )

    def test_matrices_of_half_turns(self) -> None:
        axes = np.random.default_rng(8).normal(size=(50, 3))
        axes /= np.linalg.norm(axes, axis=1, keepdims=True)
        half = Rotation.from_rotvec(np.concatenate([np.pi * np.eye(3), np.pi * axes]))
        assert_same_turn(rotations.from_matrix(half.as_matrix()), wxyz(half), atol=1e-7)

    def test_slerp_goes_the_short_way_at_even_speed(self) -> None:
        a, b = random_turns(), Rotation.random(200, rng=np.random.default_rng(5))
        weight = np.random.default_rng(9).uniform(0, 1, 200)
        expected = a * Rotation.from_rotvec((a.inv() * b).as_rotvec() * weight[:, None])
        for sign in (1, -1):
            assert_same_turn(rotations.slerp(wxyz(a), sign * wxyz(b), weight), wxyz(expected))


class TestByProperty:
    @quick
    @given(quaternions)
    def test_every_form_and_back(self, q) -> None:
        assert_same_turn(rotations.from_matrix(rotations.to_matrix(q)), q)
        assert_same_turn(rotations.from_rotvec(rotations.to_rotvec(q)), q)
        for order in ORDERS:
            assert_same_turn(rotations.from_euler_deg(order, rotations.to_euler_deg(order, q)), q, atol=1e-6)
        np.testing.assert_allclose(
            rotations.multiply(q, rotations.conjugate(q)), rotations.IDENTITY, atol=1e-12
        )

    @quick
    @given(vectors, vectors)
    def test_the_smallest_turn_between_two_vectors(self, a, b) -> None:
        cosine = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
        assume(cosine > -0.999999)
        turn = rotations.from_two_vectors(a, b)
        np.testing.assert_allclose(
            rotations.rotate(turn, a / np.linalg.norm(a)), b / np.linalg.norm(b), atol=1e-7
        )
        angle = rotations.angle_between(turn, rotations.IDENTITY)
        assert angle == pytest.approx(np.arccos(np.clip(cosine, -1, 1)), abs=1e-6)

    @pytest.mark.parametrize("size", [0.0, 1e-12, 1e-8, 1e-6, 1e-4])
    def test_tiny_turns_keep_their_digits(self, size) -> None:
        v = size * np.array([0.6, -0.8, 0.0])
        np.testing.assert_allclose(rotations.to_rotvec(rotations.from_rotvec(v)), v, rtol=1e-9, atol=1e-20)

    @pytest.mark.parametrize("order", ORDERS)
    @pytest.mark.parametrize("middle", [90.0, -90.0])
    def test_at_the_pole_the_last_angle_is_zero(self, order, middle) -> None:
        q = rotations.from_euler_deg(order, np.array([20.0, middle, 50.0]))
        euler = rotations.to_euler_deg(order, q)
        assert euler[2] == 0.0
        assert_same_turn(rotations.from_euler_deg(order, euler), q, atol=1e-7)

    def test_signs_are_chosen_so_that_time_is_smooth(self) -> None:
        true = rotations.about_axis("X", np.linspace(0, 9, 60)[:, None] * [1.0, -1.0])
        signs = np.random.default_rng(2).choice([-1.0, 1.0], (60, 2, 1))
        signs[0] = 1
        np.testing.assert_array_equal(rotations.make_continuous(true * signs), true)


class TestContinuousEuler:
    @pytest.mark.parametrize("order", ORDERS)
    def test_a_spin_counts_its_turns(self, order) -> None:
        degrees = np.linspace(0, 1080, 200)
        turns = rotations.about_axis(order[0], np.radians(degrees))
        euler = rotations.to_continuous_euler_deg(order, turns)
        np.testing.assert_allclose(euler, degrees[:, None] * [1, 0, 0], atol=1e-6)

    @pytest.mark.parametrize("order", ORDERS)
    @pytest.mark.parametrize("outer", [(0.0, 0.0), (25.0, -40.0)])
    def test_a_tumble_through_the_pole_has_no_step(self, order, outer) -> None:
        # Steps of 2 degrees meet both poles exactly.
        middle = np.arange(0.0, 361.0, 2.0)
        triples = np.stack([np.full_like(middle, outer[0]), middle, np.full_like(middle, outer[1])], axis=-1)
        q = rotations.from_euler_deg(order, triples)
        euler = rotations.to_continuous_euler_deg(order, q)
        assert np.abs(np.diff(euler, axis=0)).max() < 2.01
        assert_same_turn(rotations.from_euler_deg(order, euler), q, atol=1e-6)

    def test_joints_are_unwrapped_each_on_its_own(self) -> None:
        fast, slow = np.linspace(0, 700, 100), np.linspace(0, 10, 100)
        q = np.stack([rotations.about_axis("Z", np.radians(each)) for each in (fast, slow)], axis=1)
        euler = rotations.to_continuous_euler_deg("ZXY", q)
        np.testing.assert_allclose(euler[..., 0], np.stack([fast, slow], axis=1), atol=1e-6)


@pytest.mark.parametrize("wrong", [np.zeros(4), np.array([np.nan, 0, 0, 1]), np.array([np.inf, 0, 0, 0])])
def test_no_length_is_no_rotation(wrong) -> None:
    with pytest.raises(InvalidData, match="length zero, NaN or infinity"):
        rotations.normalize(wrong)


@pytest.mark.parametrize("order", ["XYX", "xyz", "XY", "ABC"])
def test_an_order_is_a_permutation(order) -> None:
    for call in (rotations.to_euler_deg, rotations.to_continuous_euler_deg):
        with pytest.raises(InvalidData, match=f"'{order}' is not a permutation of X, Y and Z"):
            call(order, rotations.IDENTITY[None])
    with pytest.raises(InvalidData, match="not a permutation"):
        rotations.from_euler_deg(order, np.zeros(3))
