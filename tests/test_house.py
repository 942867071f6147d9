"""The rules of the house, as tests: what README's architecture section promises about the code."""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

import mocaplift
from mocaplift import report
from mocaplift.cli import VERBS, cli, with_verb

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "mocaplift"
TESTS = ROOT / "tests"
README = ROOT / "README.md"
SOURCES = sorted(PACKAGE.rglob("*.py"))

LONGEST_FILE = 400  # lines
LONGEST_FUNCTION = 60  # lines, docstring included
# Loading these takes longer than a person waits for a help page.
HEAVY = {"numpy", "scipy", "cv2", "torch", "av", "mediapipe", "mmpose", "safetensors", "rich", "jaxtyping"}
# Code that says nothing about what it holds.
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "core", "base", "misc", "tools"}
# OpenMMLab's checkpoints, SMPL's models and OpenCap's cameras are pickles, read with unpicklers that admit arrays
# only; these two modules alone touch the library.
READS_FOREIGN_PICKLES = {"pickles.py", "detect/checkpoints.py"}
ROUNDING = {"int", "round", "np.round", "np.rint", "math.floor", "math.ceil"}
JOINT_WORDS = r"hip|knee|ankle|heel|toe|foot|shoulder|elbow|wrist|hand|nose|eye|ear|pelvis|neck|head|spine"

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(path: Path) -> Iterator[Function]:
    yield from (node for node in ast.walk(tree_of(path)) if isinstance(node, Function))


def public_functions(path: Path) -> Iterator[Function]:
    """Yield what users may call: functions of the module and of its classes, not those inside functions."""
    classes = [node for node in tree_of(path).body if isinstance(node, ast.ClassDef)]
    for body in (tree_of(path).body, *(each.body for each in classes)):
        yield from (each for each in body if isinstance(each, Function) and not each.name.startswith("_"))


def own_nodes(function: Function) -> Iterator[ast.AST]:
    """Yield the nodes of a function's body without those of functions and classes inside it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, Function | ast.ClassDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    return done.stdout.strip()


class TestImports:
    def test_the_layers_hold(self) -> None:
        """The contracts are in pyproject.toml; they are exhaustive, so a module without a layer fails too."""
        lint = shutil.which("lint-imports", path=str(Path(sys.executable).parent))
        if lint is None:
            pytest.skip("import-linter is not installed beside this Python")
        done = subprocess.run([lint], cwd=ROOT, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout

    def test_help_loads_nothing_heavy(self) -> None:
        code = (
            "import sys; from mocaplift.cli import cli\n"
            "try: cli(['--help'])\n"
            "except SystemExit: pass\n"
            f"print(sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)\n"
            "sys.exit(0)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
        )
        assert done.stderr.strip() == "[]"
        assert "--overlay" in done.stdout

    @pytest.mark.parametrize(
        "module", ["values", "cameras", "rotations", "kinematics", "layouts", "store", "clean", "export"]
    )
    def test_the_light_half_needs_numpy_only(self, module: str) -> None:
        heavy = HEAVY - {"numpy", "jaxtyping"}
        assert run(f"import sys, mocaplift.{module}; print(sorted({heavy!r} & set(sys.modules)))") == "[]"


class TestCode:
    @pytest.mark.parametrize("path", SOURCES, ids=name_of)
    def test_no_file_and_no_function_is_too_long(self, path: Path) -> None:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE
        long = {each.name: each.end_lineno - each.lineno + 1 for each in functions(path) if each.end_lineno}
        assert {name: lines for name, lines in long.items() if lines > LONGEST_FUNCTION} == {}

    @pytest.mark.parametrize("path", SOURCES, ids=name_of)
    def test_names_of_modules_say_something_and_shadow_nothing(self, path: Path) -> None:
        parts = set(path.relative_to(PACKAGE).with_suffix("").parts)
        assert parts & VAGUE_NAMES == set()
        assert parts & set(sys.stdlib_module_names) - {"__init__", "__main__"} == set()

    @pytest.mark.parametrize("path", SOURCES, ids=name_of)
    def test_joints_have_names_not_numbers(self, path: Path) -> None:
        found = [
            f"line {node.lineno}: {ast.unparse(node)}"
            for node in ast.walk(tree_of(path))
            if is_joint_number(node)
        ]
        text = path.read_text(encoding="utf-8")
        found += re.findall(
            rf"(?mi)^\s*(?:l_|r_|left_|right_)?(?:{JOINT_WORDS})(?:_id|_index)?\s*=\s*\d+\s*$", text
        )
        assert found == []

    @pytest.mark.parametrize("path", SOURCES, ids=name_of)
    def test_frame_rates_are_never_rounded(self, path: Path) -> None:
        assert [ast.unparse(node) for node in ast.walk(tree_of(path)) if is_rounded_rate(node)] == []

    @pytest.mark.parametrize("path", SOURCES, ids=name_of)
    def test_nothing_runs_code_from_data_and_nothing_prints(self, path: Path) -> None:
        if path.relative_to(PACKAGE).as_posix() in READS_FOREIGN_PICKLES:
            pytest.skip("reads pickles of others; its own tests show that they cannot run code")
        calls = {ast.unparse(node.func) for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call)}
        assert calls & {"print", "eval", "exec", "torch.load", "pickle.load", "pickle.loads"} == set()
        assert (
            re.findall(r"^\s*(?:import|from) (?:pickle|dill|joblib|shelve)\b", path.read_text(), re.M) == []
        )
        assert "allow_pickle=True" not in path.read_text()

    @pytest.mark.parametrize("path", SOURCES, ids=name_of)
    def test_what_is_raised_is_documented(self, path: Path) -> None:
        missing = []
        for function in public_functions(path):
            text = ast.get_docstring(function) or ""
            told = text.partition("Raises:")[2]
            for error in raised(function):
                if error not in told:
                    missing.append(f"{function.name}: {error}")
        assert missing == []

    def test_no_text_holds_somebodys_folder(self) -> None:
        files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
        if files.returncode != 0:
            pytest.skip("not a git checkout")
        homes = re.compile(r"/(?:home|Users|root)/\w")
        found = []
        for name in files.stdout.split("\0"):
            path = ROOT / name
            if name and path.is_file() and path.suffix in {".py", ".md", ".toml", ".json", ".yml", ".sh", ""}:
                text = path.read_text(encoding="utf-8", errors="ignore")
                found += [f"{name}: {hit}" for hit in homes.findall(text)]
        assert found == []


def is_joint_number(node: ast.AST) -> bool:
    """Tell whether an index such as `xyz[:, 11]` picks a joint by number.

    0 to 2 are coordinates; 3 in the last place is a quaternion's z or a matrix's translation.
    """
    if not isinstance(node, ast.Subscript) or not isinstance(node.slice, ast.Tuple):
        return False
    parts = node.slice.elts
    is_array = any(
        isinstance(part, ast.Slice) or (isinstance(part, ast.Constant) and part.value is Ellipsis)
        for part in parts
    )
    numbers = [
        (part.value, place == len(parts) - 1)
        for place, part in enumerate(parts)
        if isinstance(part, ast.Constant) and type(part.value) is int
    ]
    return is_array and any(value > 3 or (value == 3 and not is_last) for value, is_last in numbers)


def is_rounded_rate(node: ast.AST) -> bool:
    """Tell whether a call is `int(fps)` or `round(clip.fps)`."""
    if not isinstance(node, ast.Call) or ast.unparse(node.func) not in ROUNDING or not node.args:
        return False
    inner = node.args[0]
    if isinstance(inner, ast.Call) and ast.unparse(inner.func) == "float":
        inner = inner.args[0]
    return isinstance(inner, ast.Name | ast.Attribute) and ast.unparse(inner).split(".")[-1].endswith("fps")


def raised(function: Function) -> set[str]:
    """Return the names of the errors that a function itself raises."""
    errors = set()
    for node in own_nodes(function):
        if isinstance(node, ast.Raise) and node.exc is not None:
            error = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            name = ast.unparse(error).split(".")[-1]
            if name[0].isupper():
                errors.add(name)
    return errors


class TestTests:
    @pytest.mark.parametrize("path", sorted(TESTS.rglob("test_*.py")), ids=name_of)
    def test_every_test_can_fail(self, path: Path) -> None:
        tests = [each for each in functions(path) if each.name.startswith("test_")]
        assert [each.name for each in tests if not can_fail(each)] == []

    @pytest.mark.parametrize("kind", ["export.EXPORTERS", "lift.LIFTERS", "detect.DETECTORS"])
    def test_everything_listed_is_tested(self, kind: str) -> None:
        folder, table = kind.split(".")
        names = run(f"from mocaplift.{folder} import {table}; print(*{table})").split()
        text = "".join(path.read_text() for path in (TESTS / folder).rglob("test_*.py"))
        assert names
        assert [name for name in names if f'"{name}"' not in text and f"in {table}" not in text] == []


def can_fail(function: Function) -> bool:
    """Tell whether a test asserts, expects an error, or calls a function whose name says that it checks."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assert):
            return True
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in {"pytest.raises", "pytest.warns"} or name.split(".")[-1].startswith(
                ("assert_", "check_")
            ):
                return True
    return False


def readme_lines() -> list[str]:
    """Return the command lines in README's code blocks, continued lines joined."""
    blocks = re.findall(r"```(?:bash|console|sh)\n(.*?)```", README.read_text(encoding="utf-8"), re.S)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [part.strip().removeprefix("$ ") for line in lines for part in line.split("&&")]


def command_of(words: list[str]) -> click.Command:
    """Return the command that a line calls, subcommands included."""
    context = click.Context(cli)
    command: click.Command = cli
    words = with_verb(words)
    while isinstance(command, click.Group):
        word = words.pop(0)
        found = command.get_command(context, word)
        assert found is not None, f"README calls `{word}`, which does not exist"
        command = found
    return command


class TestReadme:
    def test_its_commands_and_their_flags_exist(self) -> None:
        calls = [line.split() for line in readme_lines() if line.startswith("mocaplift ")]
        assert len(calls) >= 5
        for words in calls:
            arguments = [word for word in words[1:] if word not in ("...", "#")]
            if arguments[0] in ("--help", "--version"):
                continue
            known = {
                flag for each in command_of(arguments).params for flag in (*each.opts, *each.secondary_opts)
            }
            used = {word.split("=")[0] for word in arguments if re.match(r"--?[a-z]", word)}
            assert used - known - {"--help"} == set(), words

    def test_the_files_it_names_exist(self) -> None:
        text = README.read_text(encoding="utf-8")
        named = set(re.findall(r"\b((?:sample_videos|weights|tests|mocaplift)/[\w./-]*\w)", text))
        named |= set(re.findall(r"\]\((?!http)([^)#]+)\)", text))
        assert [name for name in sorted(named) if not (ROOT / name).exists()] == []

    def test_its_table_of_options_is_complete(self) -> None:
        capture = cli.get_command(click.Context(cli), "capture")
        assert capture is not None
        flags = {each.opts[0] if len(each.opts) == 1 else each.opts[-1] for each in capture.params}
        flags -= {"videos"}
        rows = set(re.findall(r"^\| `(?:-\w`, `)?(--[\w-]+)", README.read_text(encoding="utf-8"), re.M))
        assert rows == flags

    def test_its_table_of_report_keys_is_complete(self) -> None:
        text = README.read_text(encoding="utf-8")
        rows = dict(re.findall(r"^\| `(\w+)` \| (.+?) \|$", text, re.M))
        assert {key: rows.get(key) for key in report.KEYS} == report.KEYS

    def test_its_verbs_are_all_there(self) -> None:
        text = README.read_text(encoding="utf-8")
        assert [verb for verb in VERBS if f"`mocaplift {verb}" not in text] == []


class TestVersion:
    def test_it_is_the_same_everywhere(self) -> None:
        stated = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.M)
        assert stated is not None
        assert stated[1] == mocaplift.__version__
        assert f"## {mocaplift.__version__} " in (ROOT / "CHANGELOG.md").read_text()


class TestHelp:
    def commands(self) -> Iterator[tuple[str, click.Command]]:
        waiting: list[tuple[str, click.Command]] = [("mocaplift", cli)]
        while waiting:
            name, command = waiting.pop()
            yield name, command
            if isinstance(command, click.Group):
                context = click.Context(command)
                for word in command.list_commands(context):
                    found = command.get_command(context, word)
                    assert found is not None
                    waiting.append((f"{name} {word}", found))

    def test_every_command_and_every_flag_has_its_sentence(self) -> None:
        silent = []
        for name, command in self.commands():
            if not (command.help or "").strip():
                silent.append(name)
            for each in command.params:
                if isinstance(each, click.Option) and not re.match(r"[A-Z].*\.", each.help or ""):
                    silent.append(f"{name} {each.opts[0]}")
        assert silent == []
