# SPDX-License-Identifier: Apache-2.0
"""Parameters, their values and their files, written down before the launch."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from launch import LaunchContext, SomeSubstitutionsType
from launch._absent import names_the_upstream_package
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions
from launch.utilities.type_utils import normalize_typed_substitution, perform_typed_substitution


class ParameterValue:
    """A value with a stated type."""

    def __init__(self, value: Any, *, value_type: Any = None) -> None:
        """Store the value.

        Args:
            value: A value or a substitution for one.
            value_type: bool, int, float, str, or List of one of these; None reads YAML.

        Raises:
            TypeError: The value can never become one of that type.
        """
        self._value = normalize_typed_substitution(value, value_type)
        self._value_type = value_type

    @property
    def value(self) -> Any:
        """The value, or the substitutions for it."""
        return self._value

    @property
    def value_type(self) -> Any:
        """The stated type, or None."""
        return self._value_type

    def evaluate(self, context: LaunchContext) -> Any:
        """Return the value; ValueError if the text stands for none of that type."""
        return perform_typed_substitution(context, self._value, self._value_type)


class Parameter:
    """A name with a value."""

    def __init__(self, name: SomeSubstitutionsType, value: Any, *, value_type: Any = None) -> None:
        """Store name and value; see :class:`ParameterValue`."""
        self._name = normalize_to_list_of_substitutions(name)
        self._value = ParameterValue(value, value_type=value_type)

    @property
    def name(self) -> Any:
        """The name, as substitutions."""
        return self._name

    @property
    def value(self) -> Any:
        """The value, or the substitutions for it."""
        return self._value.value

    @property
    def value_type(self) -> Any:
        """The stated type, or None."""
        return self._value.value_type

    def evaluate(self, context: LaunchContext) -> tuple[str, Any]:
        """Return name and value."""
        return perform_substitutions(context, self._name), self._value.evaluate(context)


class ParameterFile:
    """A YAML file of parameters."""

    def __init__(
        self,
        param_file: SomeSubstitutionsType | os.PathLike[str],
        *,
        allow_substs: bool | SomeSubstitutionsType = False,
    ) -> None:
        """Store the path.

        Args:
            param_file: The path.
            allow_substs: Whether ``$(var name)`` and ``$(env NAME)`` in the file are replaced.
        """
        if isinstance(param_file, os.PathLike):
            param_file = os.fspath(param_file)
        self._file = normalize_to_list_of_substitutions(param_file)
        self._allow_substs = normalize_typed_substitution(allow_substs, bool)
        self._written: Path | None = None

    @property
    def param_file(self) -> Any:
        """The path, as substitutions."""
        return self._file

    @property
    def allow_substs(self) -> Any:
        """Whether substitutions in the file are replaced."""
        return self._allow_substs

    def evaluate(self, context: LaunchContext) -> Path:
        """Return the path, of a temporary copy if substitutions were replaced."""
        path = Path(perform_substitutions(context, self._file))
        if not perform_typed_substitution(context, self._allow_substs, bool):
            return path
        from .utilities.file_substitutions import replace_substitutions

        text = replace_substitutions(context, path.read_text(encoding="utf-8"), str(path))
        self.cleanup()
        with tempfile.NamedTemporaryFile(
            "w", prefix="launch_params_", suffix=".yaml", delete=False, encoding="utf-8"
        ) as file:
            file.write(text)
        self._written = Path(file.name)
        return self._written

    def cleanup(self) -> None:
        """Remove the temporary copy."""
        if self._written is not None:
            self._written.unlink(missing_ok=True)
            self._written = None

    def __del__(self) -> None:
        """Remove the temporary copy."""
        if getattr(self, "_written", None) is not None:
            self.cleanup()


__getattr__ = names_the_upstream_package(__name__, "launch_ros")
