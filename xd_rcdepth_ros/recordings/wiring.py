# SPDX-License-Identifier: Apache-2.0
"""Which topics and fields of a bag hold what: as words of a command line, and found in the bag."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace

from xd_rcdepth_ros.errors import ConfigurationError, RecordingError
from xd_rcdepth_ros.recordings import schema
from xd_rcdepth_ros.recordings.pointcloud import RadarFieldMap
from xd_rcdepth_ros.recordings.schema import TopicNames

IMAGE_KINDS = (schema.COMPRESSED_IMAGE, schema.IMAGE)
_COMPRESSED = "/compressed"
_TOPIC_WORDS = ("image", "camera_info", "radar.<name>", "lidar", "depth", "sky")


def parse_topics(text: str) -> TopicNames | None:
    """Read ``image=/cam/image,radar.front=/ars/points,...``; None if the text is empty.

    Words: ``image`` (with or without /compressed), ``camera_info`` (if left out, the one beside the
    image, as image_transport has it), ``radar.<name>``, ``lidar``, ``depth``, ``sky``. Without any
    radar all ``/radar/<name>`` are taken.

    Raises:
        ConfigurationError: A word is not known, comes twice, or ``image`` is missing.
    """
    words = _words(text, "topics")
    if not words:
        return None
    radars = {
        name.removeprefix("radar."): topic
        for name, topic in words.items()
        if name.startswith("radar.") and name != "radar."
    }
    rest = {name: topic for name, topic in words.items() if not name.startswith("radar.")}
    unknown = sorted(set(rest) - set(_TOPIC_WORDS))
    if unknown or "image" not in rest or any(not topic for topic in words.values()):
        what = f"has the words {', '.join(unknown)}" if unknown else "needs a topic for each word"
        raise ConfigurationError(
            f"topics '{text}' {what}; expected image=TOPIC and, where they are there, "
            f"{', '.join(f'{word}=TOPIC' for word in _TOPIC_WORDS[1:])}, separated by commas."
        )
    base = rest["image"].removesuffix(_COMPRESSED).rpartition("/")[0]
    return TopicNames(
        rest["image"],
        rest.get("camera_info", f"{base}/camera_info"),
        radars or None,
        rest.get("lidar"),
        rest.get("depth"),
        rest.get("sky"),
    )


def parse_radar_fields(text: str) -> RadarFieldMap | None:
    """Read ``rcs=power,radial_speed=doppler,...``: quantity = field; None if the text is empty.

    Words are the attributes of ``RadarFieldMap``, as in the node's parameters
    ``radar.<radar>.fields``. An empty field says that the radar does not measure it; a minus before
    it turns the sign (``radial_speed=-doppler`` where approaching counts as positive). Where a word
    for velocity is given, those that are not are empty.

    Raises:
        ConfigurationError: A word is not known.
    """
    words = _words(text, "radar fields")
    if not words:
        return None
    known = [field.name for field in fields(RadarFieldMap)]
    unknown = sorted(set(words) - set(known))
    if unknown:
        raise ConfigurationError(
            f"radar fields '{text}' have the words {', '.join(unknown)}; expected some of "
            f"{', '.join(known)}, such as rcs=power,radial_speed=-doppler."
        )
    if words.keys() & {"vx", "vy", "radial_speed"}:
        words = {"vx": "", "vy": "", **words}
    return RadarFieldMap(**words)


def find_topics(names: TopicNames, there: Mapping[str, str], bag: object) -> TopicNames:
    """Return the topics of a bag that are meant.

    Args:
        names: Topics as named.
        there: Topic -> message type of the bag.
        bag: Name of the bag in the error's text.

    Returns:
        The names with the image topic that is there (with or without /compressed) and all radars.

    Raises:
        RecordingError: A topic is missing or of another type; the text lists those that are there.
    """
    image = names.image
    other = image.removesuffix(_COMPRESSED) if image.endswith(_COMPRESSED) else image + _COMPRESSED
    if there.get(image) not in IMAGE_KINDS and there.get(other) in IMAGE_KINDS:
        image = other
    radars = names.radars
    if radars is None:
        prefix = schema.radar_topic("")
        radars = {
            topic[len(prefix) :]: topic
            for topic, kind in sorted(there.items())
            if topic.startswith(prefix) and kind == schema.POINT_CLOUD
        }
    wanted = [
        (image, IMAGE_KINDS),
        (names.camera_info, (schema.CAMERA_INFO,)),
        *((topic, (schema.POINT_CLOUD,)) for topic in radars.values()),
    ]
    wrong = [f"{t} ({' or '.join(k)})" for t, k in wanted if there.get(t) not in k]
    if wrong:
        found = ", ".join(f"{t} ({kind})" for t, kind in sorted(there.items()))
        raise RecordingError(
            f"{bag} lacks {', '.join(wrong)}. It has: {found or 'no topic'}. Name its topics by "
            "--topics image=TOPIC,radar.front=TOPIC,... (in Python TopicNames), or choose another "
            "camera or radar."
        )
    return replace(names, image=image, radars=radars)


def _words(text: str, what: str) -> dict[str, str]:
    words: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        word, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not word or word in words:
            raise ConfigurationError(
                f"{what} '{text}': '{part}' is no WORD=VALUE, or its word comes twice."
            )
        words[word] = value
    return words
