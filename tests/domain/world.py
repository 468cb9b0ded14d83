"""A small fictional world for the domain's tests: one rulebook, builders of records, and a runner over memory rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from streamer.domain import messages
from streamer.domain.dossier import Meta
from streamer.domain.law import (
    Authority,
    Conduct,
    Criterion,
    Ground,
    LegalBasis,
    ListRow,
    Measure,
    Rulebook,
    Term,
)
from streamer.domain.lawbook import Law
from streamer.domain.records import (
    Activation,
    AuthorityRef,
    Origin,
    Party,
    Record,
    Sanction,
    Target,
    Tick,
    encode_record,
)
from streamer.domain.replay import Replay

TAX, FINANCE, MARKET, FOOD = "11449900TTTT00022E", "11449900TTTT000309", "11449900TTTT000496", "11449900TTTT00073N"
BASIS = (LegalBasis("测试省名单办法", "第一条", "列入期间，可以限制。"),)
ORG = "TTTT99001"
START = "2026-01-05"
COMMON = {"valid_from": "2020-01-01", "basis": BASIS, "status": "signed"}


def rulebook(status: str = "signed") -> Rulebook:
    common = {**COMMON, "status": status}
    measures = [
        Measure(
            id=f"{name}.{domain}",
            list=listed,
            domain=domain,
            class_=kind,
            discretionary=kind != "restrict",
            action_zh="措施",
            **common,
        )
        for name, listed in (("tax", "tax.major-dishonest"), ("proc", "procurement.serious"))
        for domain, kind in (("procurement", "restrict"), ("qualification", "restrict"), ("supervision", "manage"))
    ]
    return Rulebook(
        name="test",
        fictional=True,
        authorities=(
            Authority(id=TAX, name="测试省税务局", roles=("tax",), source="tax", **COMMON),
            Authority(id=FINANCE, name="测试省财政厅", roles=("finance",), source="finance", **COMMON),
            Authority(id=MARKET, name="测试省市场监管局", roles=("market",), source="market", **COMMON),
            Authority(id=FOOD, name="测试省药监局", roles=("drug",), source="drug", **COMMON),
        ),
        catalogue=(
            Conduct(id="tax.evasion", name_zh="偷税", **COMMON),
            Conduct(id="loan.evade", name_zh="逃废债", open=False, **COMMON),
        ),
        lists=(
            ListRow(
                id="tax.major-dishonest",
                name_zh="重大税收违法失信主体（测试）",
                listed_by=("tax",),
                grounds=(Ground("tax.evasion", "偷税"),),
                requires=("notice_served_on", "published_on", "remedies_closed"),
                term=Term(3, "published_on"),
                **common,
            ),
            ListRow(
                id="procurement.serious",
                name_zh="政府采购严重违法（测试）",
                listed_by=("finance",),
                entry="penalty",
                ends_with_ban=True,
                entry_when="fine_fen >= 3000000 || ban_days >= 365",
                term=Term(3, "decided_on"),
                **common,
            ),
        ),
        measures=tuple(measures),
        supervision=supervision(common),
    )


def supervision(common: Any) -> tuple[Criterion, ...]:
    return (
        Criterion(
            id="food.three",
            name_zh="一年三次",
            when='domain == "food-drug"',
            met="count >= 3",
            window_days=365,
            notify="drug",
            **common,
        ),
        Criterion(
            id="quality.two",
            name_zh="一年两次",
            when='domain == "quality"',
            met="count >= 2",
            window_days=365,
            effect="manage",
            action_zh="增加检查频次",
            **common,
        ),
    )


def record(kind: str, number: str, **fields: object) -> Record:
    """A record with sensible defaults; ``fields`` override."""
    values: dict[str, object] = {
        "type": kind,
        "source": "tax",
        "id": f"{kind}-{number}-{fields.get('version', 1)}",
        "domain": "tax",
        "authority": AuthorityRef(code=TAX),
        "document_number": number,
        "party": Party(ORG, name="测试省第一有限公司"),
    }
    if kind.startswith(("decision", "document")):
        values["decided_on"] = "2026-01-02"
    return Record(**{**values, **fields})  # type: ignore[arg-type]


def listing(number: str = "税列〔2026〕1号", **fields: object) -> Record:
    values: dict[str, object] = {
        "list": "tax.major-dishonest",
        "ground": "tax.evasion",
        "notice_served_on": "2026-01-02",
        "published_on": "2026-01-03",
        "effective_on": "2026-01-03",
        "remedies_closed": True,
    }
    return record("decision.listing", number, **{**values, **fields})


def penalty(number: str = "财罚〔2026〕1号", **fields: object) -> Record:
    values: dict[str, object] = {"source": "finance", "domain": "procurement", "authority": AuthorityRef(code=FINANCE)}
    return record("decision.penalty", number, **{**values, **fields})


def fine(amount_fen: int) -> tuple[Sanction, ...]:
    return (Sanction("fine", amount_fen),)


def delisting(of: str = "税列〔2026〕1号", number: str = "税移〔2026〕1号", **fields: object) -> Record:
    values: dict[str, object] = {
        "list": "tax.major-dishonest",
        "target": Target(document_number=of),
        "cause": "performed",
        "effective_on": "2026-01-04",
    }
    return record("decision.delisting", number, **{**values, **fields})


def withdrawal(of: str, kind: str, number: str = "撤〔2026〕1号", **fields: object) -> Record:
    values: dict[str, object] = {"target": Target(document_number=of, kind=kind), "version": 0}
    return record("withdrawal", number, **{**values, **fields})


def content(item: Record) -> bytes:
    """A content hash as intake gives it: over everything but the id."""
    from msgspec.structs import replace

    return blake2b(encode_record(replace(item, id="")), digest_size=16).digest()


@dataclass
class World:
    """Feeds one partition; keeps what was said."""

    book: Rulebook = field(default_factory=rulebook)
    offset: int = 0
    inbound: int = 0

    def __post_init__(self) -> None:
        self.replay = Replay({"book": self.book})
        self.control(Activation(rulebook="book", clock=START, ticks="simulated"))

    def control(self, value: Activation | Tick) -> None:
        self.replay.record(0, encode_record(value), Meta(self.offset, 1_767_600_000_000))
        self.offset += 1

    def tick(self, date: str, *, sweep: bool = True) -> None:
        self.control(Tick(date))
        if sweep:
            self.replay.finish()

    def activate(self, name: str, book: Rulebook) -> None:
        """Another rulebook from here on."""
        self.replay._laws[name] = Law(book, name)
        self.control(Activation(rulebook=name, clock=START))

    def send(self, item: Record, *, at: int | None = None, inbound: int = 0) -> None:
        """``at``: the offset in inbound partition ``inbound``, for a resend; None: the next one."""
        if at is None:
            at, self.inbound = self.inbound, self.inbound + 1
        origin = Origin(f"credit.events.{item.source}", inbound, at)
        self.replay.record(0, encode_record(item), Meta(self.offset, 1_767_600_000_000, origin, content(item)))
        self.offset += 1

    @property
    def alerts(self) -> list[messages.AlertData]:
        return [messages.decode_alert(body).data for _, _, body in self.replay.effects.alerts]

    @property
    def notices(self) -> list[messages.NoticeData]:
        return [messages.decode_notice(body).data for _, _, body in self.replay.effects.notices]

    @property
    def said(self) -> list[tuple[str, int, str]]:
        return [(a.measure.rule_id, a.revision, a.action) for a in self.alerts]

    @property
    def open(self) -> set[str]:
        last = {a.alert_id: a for a in self.alerts}
        return {a.measure.rule_id for a in last.values() if a.action != "lifted"}

    def books(self) -> dict[str, int]:
        partition = self.replay.rows[0].get(b"p")
        total: dict[str, int] = {"resent": partition.resent, "control": partition.control}
        for counts in partition.books.values():
            for name in ("applied", "duplicate", "superseded", "dead_lettered", "witness"):
                total[name] = total.get(name, 0) + getattr(counts, name)
        return total
