"""Everything that can go wrong for a user, each with the exit code of the command line.

A message says what is wrong, where (file, frame, camera, joint) and what to do about it.
"""


class MocapliftError(Exception):
    """Any failure that is the input's or the environment's and not a bug of ours."""

    exit_code = 1


class OutputError(MocapliftError):
    """A file could not be written."""

    exit_code = 1


class MissingDependency(MocapliftError):
    """An optional package is not installed; the message names the command that installs it."""

    exit_code = 1


class ConfigError(MocapliftError):
    """An option or a configuration value makes no sense."""

    exit_code = 2


class UnsupportedFormat(MocapliftError):
    """A file name asks for a format that does not exist here."""

    exit_code = 2


class VideoError(MocapliftError):
    """A video cannot be read."""

    exit_code = 3


class InvalidData(MocapliftError):
    """Values do not fit together: wrong shape, not finite, out of range."""

    exit_code = 3


class WeightsError(MocapliftError):
    """A weight file or checkpoint is missing, damaged, or made for something else."""

    exit_code = 3


class NoPersonFound(MocapliftError):
    """Nobody was seen, or not for long enough."""

    exit_code = 4


class CalibrationError(MocapliftError):
    """Cameras cannot be read, or contradict what they saw."""

    exit_code = 5
