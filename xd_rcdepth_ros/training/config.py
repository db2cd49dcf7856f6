# SPDX-License-Identifier: Apache-2.0
"""What a training run is: one checked dataclass, read from a YAML file or from parameters.

Each value is checked once, here; an error names the key, the value, and what was expected.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml

from xd_rcdepth_ros.distillation import ConfidenceConfig, StudentObjective, TeacherObjective
from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.network.student import StudentConfig
from xd_rcdepth_ros.network.teacher import TeacherConfig
from xd_rcdepth_ros.training.augmentation import AugmentationConfig
from xd_rcdepth_ros.training.source import SourceConfig, require

ConfigT = TypeVar("ConfigT")
STAGES = ("student", "teacher")
MAX_BASES = 5
PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")


@dataclass(frozen=True)
class ScheduleConfig:
    """How long and how fast to learn.

    Attributes:
        steps: Optimiser steps of the whole run.
        batch_size: Samples a step, over all processes together.
        learning_rate: Peak of the schedule.
        encoder_rate: Learning rate of the encoders as a share of it: their ImageNet weights know
            more pictures than any training here shows.
        warmup_steps: Steps of linear rise to the peak.
        power: Exponent of the polynomial decay to 0 at the end.
        weight_decay: Of AdamW; not on biases and normalisation.
        gradient_clip: Largest norm of the gradient.
        average: Decay of the exponential moving average of the weights; 0 for none.
        freeze_statistics: Keep the batch statistics of normalisation layers as they were loaded.
        teacher_fades: Share of the steps over which what the teacher says loses its weight, evenly
            down to 0; from then on it is not asked. 0 keeps the weight.
        validate_every: Steps between validations, about; see ``validation_interval``.
        patience: Validations without improvement after which the run ends; 0 for never.
    """

    steps: int = 10_000
    batch_size: int = 4
    learning_rate: float = 1e-3
    encoder_rate: float = 1.0
    warmup_steps: int = 100
    power: float = 0.9
    weight_decay: float = 1e-2
    gradient_clip: float = 5.0
    average: float = 0.99
    freeze_statistics: bool = False
    teacher_fades: float = 0.0
    validate_every: int = 500
    patience: int = 0

    @property
    def validation_interval(self) -> int:
        """Steps between validations, such that the last one comes with the last steps."""
        return self.steps // max(1, round(self.steps / self.validate_every))

    def __post_init__(self) -> None:
        for key in ("steps", "batch_size", "validate_every"):
            require(getattr(self, key) >= 1, key, getattr(self, key), "1 or more")
        for key in ("learning_rate", "encoder_rate", "gradient_clip", "power"):
            require(getattr(self, key) > 0, key, getattr(self, key), "more than 0")
        for key in ("warmup_steps", "weight_decay", "patience"):
            require(getattr(self, key) >= 0, key, getattr(self, key), "0 or more")
        require(0 <= self.average < 1, "average", self.average, "0 or more, less than 1")
        require(0 <= self.teacher_fades <= 1, "teacher_fades", self.teacher_fades, "0 to 1")


@dataclass(frozen=True)
class RunConfig:
    """One training run.

    Attributes:
        stage: ``student`` or ``teacher``.
        output: Folder of the run: checkpoints, model files, curves.
        train: Bags to learn from.
        validation: Bags that choose the best checkpoint. Never the bags that figures are
            published on, unless there are no others; then say so.
        teacher: Model file of the teacher, for a student with any term that needs one.
        start: Model file to start from, or ``shipped`` for the package's student: weights of the
            same name and shape are taken over, the others stay fresh or come from ``encoders``.
        encoders: ImageNet weights (safetensors) by module: ``image_encoder``, ``radar_encoder``
            and, for the teacher, ``stage1``.
        focal_length_px: Images are resized to this focal length.
        size: (height, width) of the training images, pixels, multiples of 32.
        camera: Camera of the bags.
        seed: Of weights, order and augmentation.
        schedule: How long and how fast.
        augmentation: What is varied.
        variants: If above 0, each frame has this many fixed augmented versions, and the teacher's
            answers on them are kept on disk.
        student: The student's architecture.
        student_objective: The student's loss.
        teacher_network: The teacher's architecture.
        teacher_objective: The teacher's loss.
        confidence: Where the teacher's confidence shall be high; its windows are in pixels of the
            training's grid.
        zero_radar: Train without radar: what it is worth.
        precision: ``32-true``, ``bf16-mixed`` or ``16-mixed``.
        accelerator: ``auto``, ``cpu`` or ``cuda``.
        devices: Devices on each machine.
        nodes: Machines.
        workers: Processes that prepare data, on each device.
        cache: Folder for dense depth and teacher's answers; None for one in ``output``.
        memory_mb: Frames kept in memory by each worker, megabytes.
        training_data: What the model file shall say about its data.
        licence: What it shall say about its licence.
    """

    stage: str
    output: str
    train: tuple[SourceConfig, ...]
    validation: tuple[SourceConfig, ...]
    teacher: str | None = None
    start: str | None = None
    encoders: Mapping[str, str] = field(default_factory=dict)
    focal_length_px: float = 454.5
    size: tuple[int, int] = (352, 704)
    camera: str = "front"
    seed: int = 0
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    variants: int = 0
    student: StudentConfig = field(default_factory=StudentConfig)
    student_objective: StudentObjective = field(default_factory=StudentObjective)
    teacher_network: TeacherConfig = field(default_factory=TeacherConfig)
    teacher_objective: TeacherObjective = field(default_factory=TeacherObjective)
    confidence: ConfidenceConfig = field(default_factory=ConfidenceConfig)
    zero_radar: bool = False
    precision: str = "32-true"
    accelerator: str = "auto"
    devices: int = 1
    nodes: int = 1
    workers: int = 1
    cache: str | None = None
    memory_mb: int = 1024
    training_data: str = ""
    licence: str = ""

    def __post_init__(self) -> None:
        require(self.stage in STAGES, "stage", self.stage, f"one of {STAGES}")
        require(self.precision in PRECISIONS, "precision", self.precision, f"one of {PRECISIONS}")
        require(bool(self.train), "train", self.train, "at least one source")
        require(bool(self.validation), "validation", self.validation, "at least one source")
        sound = len(self.size) == 2 and all(n > 0 and n % 32 == 0 for n in self.size)
        require(sound, "size", self.size, "(height, width), multiples of 32")
        require(self.focal_length_px > 1, "focal_length_px", self.focal_length_px, "more than 1")
        for key in ("devices", "nodes"):
            require(getattr(self, key) >= 1, key, getattr(self, key), "1 or more")
        for key in ("workers", "variants", "memory_mb", "seed"):
            require(getattr(self, key) >= 0, key, getattr(self, key), "0 or more")
        parts, total = self.devices * self.nodes, self.schedule.batch_size
        require(total % parts == 0, "batch_size", total, f"a multiple of the {parts} processes")
        if self.stage == "student" and self.student_objective.needs_teacher:
            require(
                self.teacher is not None,
                "teacher",
                self.teacher,
                "a teacher's model file, or the weights explanation, distribution and response of "
                "student_objective at 0",
            )


def read_config(path: Path | str, overrides: Mapping[str, Any] | None = None) -> RunConfig:
    """Read a run from a YAML file.

    A key ``base`` names another such file, relative to this one; the values here go over its own,
    key by key.

    Args:
        path: The file.
        overrides: Values by dotted key, such as ``{"schedule.steps": 100}``, that replace the
            file's.

    Raises:
        ConfigurationError: The file is missing or no YAML, or a key or value is not known.
    """
    values = _read_values(Path(path))
    for key, value in (overrides or {}).items():
        place = values
        *parents, last = key.split(".")
        for parent in parents:
            place = place.setdefault(parent, {})
            require(isinstance(place, dict), key, place, "a key of the configuration")
        place[last] = value
    return parse(RunConfig, values)


def _read_values(path: Path, depth: int = 0) -> dict[str, Any]:
    """Return the plain values of a file, over those of its ``base``."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(
            f"cannot read the training configuration {path}: {error}"
        ) from error
    require(isinstance(values, dict), str(path), type(values).__name__, "a mapping of keys")
    base = values.pop("base", None)
    if base is None:
        return dict(values)
    require(depth < MAX_BASES, f"base of {path}", base, f"at most {MAX_BASES} files in a row")
    return _laid_over(values, _read_values(path.parent / str(base), depth + 1))


def _laid_over(values: dict[str, Any], base: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in values.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        merged[key] = _laid_over(value, base[key]) if both else value
    return merged


def parse(kind: type[ConfigT], values: Any, key: str = "") -> ConfigT:
    """Make a configuration dataclass from plain values, and those inside it.

    Raises:
        ConfigurationError: A key is unknown or missing, or a value has the wrong type.
    """
    where = key or "configuration"
    require(isinstance(values, Mapping), where, values, "a mapping of keys")
    hints = get_type_hints(kind)
    known = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - set(known))
    require(not unknown, where, unknown, f"only these keys: {', '.join(known)}")
    missing = [
        name
        for name, f in known.items()
        if name not in values and f.default is MISSING and f.default_factory is MISSING
    ]
    require(not missing, where, sorted(values), f"also the keys {missing}")
    prefix = f"{key}." if key else ""
    made = {name: _value(hints[name], value, prefix + name) for name, value in values.items()}
    return kind(**made)


def _value(hint: Any, value: Any, key: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        if value is None and type(None) in arguments:
            return None
        return _value(next(a for a in arguments if a is not type(None)), value, key)
    if is_dataclass(hint):
        return parse(hint, value, key)  # type: ignore[arg-type]
    if origin is tuple:
        require(isinstance(value, (list, tuple)), key, value, "a list")
        kinds = arguments if arguments[-1] is not Ellipsis else [arguments[0]] * len(value)
        require(len(value) == len(kinds), key, value, f"{len(kinds)} values")
        pairs = enumerate(zip(kinds, value, strict=True))
        return tuple(_value(kind, item, f"{key}[{i}]") for i, (kind, item) in pairs)
    if origin is not None:  # mappings of strings
        require(isinstance(value, Mapping), key, value, "a mapping of keys")
        return {str(k): _value(arguments[1], v, f"{key}.{k}") for k, v in value.items()}
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint is float and isinstance(value, str):  # YAML reads 1e-3 as a string
        try:
            return float(value)
        except ValueError:
            pass
    exact = isinstance(value, hint) and not (hint is not bool and isinstance(value, bool))
    require(exact, key, value, f"a value of type {hint.__name__}")
    return value
