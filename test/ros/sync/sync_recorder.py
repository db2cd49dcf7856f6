# SPDX-License-Identifier: Apache-2.0
"""What the tests of both synchronisers share."""

from hypothesis import strategies as st

from xd_rcdepth_ros.ros.sync.core import Match, SyncSettings

MS = 1_000_000
# What reaches a synchroniser in any order: kind and stamp, or milliseconds that pass.
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("image"), st.integers(1, 3000)),
        st.tuples(st.sampled_from(["front", "left"]), st.integers(1, 3000)),
        st.tuples(st.just("time"), st.integers(1, 100)),
        st.tuples(st.just("clear"), st.just(0)),
    ),
    max_size=60,
)


class SyncRecorder:
    """A synchroniser with a wall clock that the test moves, in milliseconds."""

    def __init__(self, make, radars, options):
        self.matches: list[Match] = []
        self.drops: list[tuple[int, str]] = []
        self.resets, self.now_s = 0, 0.0
        self.sync = make(
            radars,
            SyncSettings(**options),
            self.matches.append,
            lambda stamp_ns, reason: self.drops.append((stamp_ns // MS, reason)),
            self._reset,
        )

    def _reset(self):
        self.resets += 1

    def image(self, stamp_ms):
        self.sync.add_image(stamp_ms * MS, f"image {stamp_ms}", self.now_s)

    def radar(self, stamp_ms, name="front"):
        self.sync.add_sweep(name, stamp_ms * MS, f"{name} {stamp_ms}", self.now_s)

    def play(self, event):
        """Let one of :data:`EVENTS` happen."""
        kind, value = event
        if kind == "time":
            self.pass_time(value)
        elif kind == "clear":
            self.sync.clear("deactivated")
        elif kind == "image":
            self.image(value)
        else:
            self.radar(value, kind)

    def pass_time(self, ms):
        self.now_s += ms / 1000
        self.sync.poll(self.now_s)

    def play_three_loops(self):
        """Play 200 images and 86 sweeps three times; return the full sets of each loop."""
        events = sorted(
            [(100 + 33 * i, "image") for i in range(200)]
            + [(100 + 77 * i, "radar") for i in range(86)]
        )
        complete, now_ms = [], 0
        for _ in range(3):
            before = self.sync.counts().complete
            for stamp, kind in events:
                self.pass_time(max(stamp - now_ms, 1))
                getattr(self, kind)(stamp)
                now_ms = stamp
            complete.append(self.accounted().complete - before)
        return complete

    @property
    def pairs(self):
        return [(m.stamp_ns // MS, tuple(s.payload for s in m.sweeps)) for m in self.matches]

    def accounted(self):
        """Assert that each message is somewhere, and only there."""
        counts, held = self.sync.counts(), self.sync.held_sweeps()
        assert counts.images_in == len(self.matches) + len(self.drops) + self.sync.pending
        assert counts.matched == len(self.matches)
        assert sum(counts.dropped.values()) == len(self.drops)
        for radar, number in counts.sweeps_in.items():
            unused = sum(n for (name, _), n in counts.sweeps_unused.items() if name == radar)
            assert number == counts.sweeps_used[radar] + unused + held[radar], counts
        return counts
