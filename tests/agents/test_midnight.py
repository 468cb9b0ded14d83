"""Production's ticks: due once the date has turned, for the partitions that want the real date."""

from __future__ import annotations

from streamer.agents.dossier import Midnight
from streamer.domain.state import Partition


def test_partitions_behind_the_date_are_ticked() -> None:
    calendar = Midnight()
    calendar.saw(0, Partition(clock=100))
    calendar.saw(1, Partition(clock=101))
    calendar.saw(2, Partition(clock=50, ticks="simulated"))
    calendar.saw(3, Partition())  # not activated yet
    assert calendar.behind(101) == [0]
    calendar.saw(0, Partition(clock=101))
    assert calendar.behind(101) == []
