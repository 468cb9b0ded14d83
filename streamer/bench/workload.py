"""The events that are measured: invented decisions as departments send them, the same for the same seed.

Not for: what should become of them (the demo has a truth; a bench has a clock).
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any, Final, NamedTuple

import orjson

from streamer.demo import codes

SEED: Final = 20261123
CLOCK: Final = "2026-01-05"  # the Beijing date that partitions start with
EVENTS_AN_ENTITY: Final = 10
REPEAT_SHARE: Final = 0.1  # byte-identical copies
REPEAT_WITHIN: Final = 20_000  # … of one of the last so many events
LISTING_SHARE: Final = 0.02  # each raises three alerts
DELISTING_SHARE: Final = 0.01  # each lifts three
BAN_SHARE: Final = 0.3  # of procurement's penalties: large enough to be an entry of its list
FREE_TEXT_SHARE: Final = 0.25  # of penalties: facts in words, which intake seals


class Sent(NamedTuple):
    """One message: its source, its key (the party's unified code) and its value, a structured CloudEvent."""

    source: str
    key: bytes
    value: bytes


class _Body(NamedTuple):
    source: str
    weight: int  # of a hundred penalties
    code: str
    name: str
    mark: str  # in document numbers
    domain: str
    conducts: tuple[str, ...]
    instrument: str


# As the fictional rulebook has them.
_BODIES: Final = (
    _Body(
        "market", 36, "11449900TTTT000496", "测试省市场监督管理局", "测市监罚", "market",
        ("market.no-licence", "food.substandard"), "《测试省市场主体登记管理规定》",
    ),
    _Body(
        "tax", 18, "11449900TTTT00022E", "国家税务总局测试省税务局", "测税稽罚", "tax",
        ("tax.other", "tax.false-ordinary-invoice"), "《测试省税收征收管理规定》",
    ),
    _Body(
        "housing", 12, "11449900TTTT001022", "测试省住房和城乡建设厅", "测建罚", "contract",
        ("housing.no-permit",), "《测试省建筑市场管理规定》",
    ),
    _Body(
        "drug", 10, "11449900TTTT00073N", "测试省药品监督管理局", "测药监罚", "food-drug",
        ("drug.no-record", "food.substandard"), "《测试省食品安全条例》",
    ),
    _Body(
        "quality", 9, "11449900TTTT000496", "测试省市场监督管理局", "测质监罚", "quality",
        ("quality.substandard",), "《测试省产品质量监督办法》",
    ),
    _Body(
        "customs", 7, "11449900TTTT00065U", "中华人民共和国测试海关", "测关罚", "customs",
        ("customs.misdeclare",), "《测试省海关行政处罚规定》",
    ),
    _Body(
        "court", 5, "11449900TTTT00014K", "测试省高级人民法院", "测法罚", "court",
        ("market.no-licence",), "《测试省执行工作规定》",
    ),
    _Body(
        "finance", 3, "11449900TTTT000309", "测试省财政厅", "测财采罚", "procurement",
        ("proc.collude", "proc.false-material"), "《测试省政府采购失信记录办法》",
    ),
)  # fmt: skip
_TAX: Final = _BODIES[1]
_WEIGHTS: Final = tuple(accumulate(body.weight for body in _BODIES))
SOURCES: Final = tuple(body.source for body in _BODIES)


class _Listed(NamedTuple):
    number: int
    document_number: str


class Workload:
    """Events about ``entities`` organisations, of which the first are the most frequent (weight 1/(rank + entities/100))."""

    def __init__(self, entities: int, seed: int = SEED) -> None:
        self._rnd = random.Random(seed)  # noqa: S311 - a workload, not a secret
        self._seed = seed
        self._made = 0
        self._weights = list(accumulate(1 / (rank + entities / 100) for rank in range(1, entities + 1)))
        self._numbers = range(entities)
        self._listed: deque[_Listed] = deque(maxlen=1000)

    def events(self, count: int) -> Iterator[Sent]:
        """``count`` messages, a tenth of them copies."""
        recent: deque[Sent] = deque(maxlen=REPEAT_WITHIN)
        for number in self._rnd.choices(self._numbers, cum_weights=self._weights, k=count):
            if recent and self._rnd.random() < REPEAT_SHARE:
                yield recent[self._rnd.randrange(len(recent))]
                continue
            recent.append(self._new(number))
            yield recent[-1]

    def penalties(self, numbers: Sequence[int]) -> Iterator[Sent]:
        """A penalty about each of these organisations, none of them large enough for a list."""
        for number in numbers:
            body = self._rnd.choices(_BODIES, cum_weights=_WEIGHTS)[0]
            yield self._penalty(body, codes.organisation(number), ban=False)

    def _new(self, number: int) -> Sent:
        entity, drawn = codes.organisation(number), self._rnd.random()
        if drawn < LISTING_SHARE:
            return self._listing(number, entity)
        if drawn < LISTING_SHARE + DELISTING_SHARE and self._listed:
            return self._delisting()
        body = self._rnd.choices(_BODIES, cum_weights=_WEIGHTS)[0]
        return self._penalty(body, entity, ban=body.source == "finance" and self._rnd.random() < BAN_SHARE)

    def _penalty(self, body: _Body, entity: codes.Entity, *, ban: bool) -> Sent:
        rnd, day = self._rnd, self._day()
        fine = rnd.randrange(3_000_000, 50_000_000) if ban else rnd.randrange(100_000, 2_900_000)
        data = {
            **self._common(body, entity, body.mark, day),
            "conduct": rnd.choice(body.conducts),
            "basis": [{"instrument": body.instrument, "article": f"第{rnd.randrange(10, 99)}条"}],
            "outcomes": [{"kind": "fine", "amount_fen": fine}],
            "publicity": rnd.choice(("minor", "general", "general")),
        }
        if rnd.random() < FREE_TEXT_SHARE:
            data["facts"] = f"经查，当事人于{day[:4]}年{int(day[5:7])}月实施上述行为，情节一般。"
        return self._sent(body, entity, "decision.penalty", data)

    def _listing(self, number: int, entity: codes.Entity) -> Sent:
        day = self._day()
        data = {
            **self._common(_TAX, entity, "测税失信", day),
            "list": "tax.major-dishonest",
            "ground": "tax.false-ordinary-invoice",
            "notice_served_on": day,
            "remedies_closed": True,
            "effective_on": day,
            "published_on": day,
        }
        self._listed.append(_Listed(number, str(data["document_number"])))
        return self._sent(_TAX, entity, "decision.listing", data)

    def _delisting(self) -> Sent:
        at = self._rnd.randrange(len(self._listed))
        listed = self._listed[at]
        del self._listed[at]
        entity = codes.organisation(listed.number)
        data = {
            **self._common(_TAX, entity, "测税移出", CLOCK),
            "list": "tax.major-dishonest",
            "listing": {
                "document_number": listed.document_number,
                "authority": {"code": _TAX.code, "name": _TAX.name},
            },
            "cause": "performed",
            "effective_on": CLOCK,
        }
        return self._sent(_TAX, entity, "decision.delisting", data)

    def _common(self, body: _Body, entity: codes.Entity, mark: str, day: str) -> dict[str, Any]:
        self._made += 1
        return {
            "authority": {"code": body.code, "name": body.name},
            "document_number": f"{mark}〔{day[:4]}〕{self._seed % 1000}{self._made:07d}号",
            "decided_on": day,
            "domain": body.domain,
            "parties": [{"kind": "organisation", "identifiers": {"uscc": entity.uscc}, "name": entity.name}],
        }

    def _sent(self, body: _Body, entity: codes.Entity, type_: str, data: dict[str, Any]) -> Sent:
        event = {
            "specversion": "1.0",
            "id": f"{self._rnd.getrandbits(64):016x}-{self._made}",
            "source": f"urn:credit:source:{body.source}",
            "type": f"credit.{type_}.v1",
            "time": f"2026-01-05T08:{self._made % 60:02d}:00+08:00",
            "data": data,
        }
        return Sent(body.source, entity.uscc.encode(), orjson.dumps(event))

    def _day(self) -> str:
        return f"2025-{self._rnd.randrange(1, 13):02d}-{self._rnd.randrange(1, 29):02d}"
