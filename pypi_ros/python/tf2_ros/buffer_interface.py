# SPDX-License-Identifier: Apache-2.0
"""What every transform buffer offers, and the register of the types that it can transform."""

from collections.abc import Callable
from typing import Any, ClassVar

from geometry_msgs.msg import TransformStamped
from rclpy.duration import Duration
from std_msgs.msg import Header

NO_WAIT = Duration()
DoTransform = Callable[[Any, TransformStamped], Any]


class TypeException(Exception):
    """A type is not registered as transformable."""

    def __init__(self, errstr: str) -> None:
        super().__init__(errstr)
        self.errstr = errstr


class NotImplementedException(Exception):
    """A buffer lacks the look-up that was asked for."""

    def __init__(self) -> None:
        self.errstr = "CanTransform or LookupTransform not implemented"
        super().__init__(self.errstr)


class TransformRegistration:
    """The types that can be transformed; all instances share one register."""

    _functions: ClassVar[dict[type, DoTransform]] = {}

    def add(self, key: type, callback: DoTransform) -> None:
        """Register the function that transforms objects of a type."""
        self._functions[key] = callback

    def get(self, key: type) -> DoTransform:
        """Return the function that transforms objects of a type.

        Raises:
            TypeException: nobody registered one; import tf2_geometry_msgs for the common types.
        """
        try:
            return self._functions[key]
        except KeyError:
            raise TypeException(f"Type {key} is not loaded or supported") from None


class BufferInterface:
    """Transforms stamped objects by means of the look-ups that a subclass implements."""

    def __init__(self) -> None:
        self.registration = TransformRegistration()

    def transform(self, object_stamped: Any, target_frame: str, timeout: Duration = NO_WAIT) -> Any:
        """Express a stamped object in another frame, at the object's own time.

        Args:
            object_stamped: an object with a header, of a registered type.
            target_frame: the frame to express it in.
            timeout: how long to wait for the transform.

        Raises:
            TypeException: the type is not registered.
            TransformException: the transform is not known.
        """
        do_transform = self.registration.get(type(object_stamped))
        header = object_stamped.header
        return do_transform(
            object_stamped,
            self.lookup_transform(target_frame, header.frame_id, header.stamp, timeout),
        )

    def transform_full(
        self,
        object_stamped: Any,
        target_frame: str,
        target_time: Any,
        fixed_frame: str,
        timeout: Duration = NO_WAIT,
    ) -> Any:
        """Express a stamped object in another frame at another time, by way of a fixed frame."""
        do_transform = self.registration.get(type(object_stamped))
        header = object_stamped.header
        return do_transform(
            object_stamped,
            self.lookup_transform_full(
                target_frame, target_time, header.frame_id, header.stamp, fixed_frame, timeout
            ),
        )

    def lookup_transform(
        self, target_frame: str, source_frame: str, time: Any, timeout: Duration = NO_WAIT
    ) -> TransformStamped:
        """Return the transform from the source frame to the target frame."""
        raise NotImplementedException()

    def lookup_transform_full(
        self,
        target_frame: str,
        target_time: Any,
        source_frame: str,
        source_time: Any,
        fixed_frame: str,
        timeout: Duration = NO_WAIT,
    ) -> TransformStamped:
        """Return the transform between two frames at two times, by way of a fixed frame."""
        raise NotImplementedException()

    def can_transform(
        self, target_frame: str, source_frame: str, time: Any, timeout: Duration = NO_WAIT
    ) -> Any:
        """Tell whether `lookup_transform` would succeed."""
        raise NotImplementedException()

    def can_transform_full(
        self,
        target_frame: str,
        target_time: Any,
        source_frame: str,
        source_time: Any,
        fixed_frame: str,
        timeout: Duration = NO_WAIT,
    ) -> Any:
        """Tell whether `lookup_transform_full` would succeed."""
        raise NotImplementedException()


def Stamped(obj: Any, stamp: Any, frame_id: str) -> Any:
    """Give an object a header and return it."""
    obj.header = Header(frame_id=frame_id, stamp=stamp)
    return obj
