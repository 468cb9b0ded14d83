"""The reasons (原因) for which an item does not go on: what becomes of it, and what its department does about it.

Not for: deciding (intake and dossier do). Texts are read by an engineer of the sending department: they say what to change,
and never repeat a value. ``retryable``: the same bytes may succeed later, without any change at the source.
"""

from __future__ import annotations

from typing import Final, NamedTuple

DEAD_LETTERED: Final = "dead-lettered"
PARKED: Final = "parked"


class Reason(NamedTuple):
    code: str
    fate: str
    retryable: bool
    fix_zh: str
    fix_en: str


def _refused(code: str, fix_zh: str, fix_en: str) -> Reason:
    return Reason(code, DEAD_LETTERED, retryable=False, fix_zh=fix_zh, fix_en=fix_en)


_INTAKE: Final = (
    _refused(
        "not_json",
        "消息不是 UTF-8 编码的 JSON。检查序列化程序和编码，修正后以同一 id 重新发送。",
        "The message is not JSON in UTF-8. Check the serialiser and its encoding, then send it again under the same id.",
    ),
    _refused(
        "not_cloudevents",
        "消息不是 CloudEvents 1.0。按 json_pointer 补正属性：specversion、id、source、type 必填，data 为 JSON 对象。",
        "The message is no CloudEvent 1.0. Correct the attribute at json_pointer: specversion, id, source and type are "
        "required, data is a JSON object.",
    ),
    _refused(
        "unknown_type",
        "type 不在约定的类型之中。对照 topics/schemas 中的类型名，注意大小写和版本后缀 .v1。",
        "The type is not one of the contract's. Compare with the names in topics/schemas, the suffix .v1 included.",
    ),
    _refused(
        "type_not_open",
        "本来源未开通此类型或此领域。请改用已开通的类型和领域，或向信用平台申请开通。",
        "This type or domain is not open to this source. Send one that is, or ask the platform to open it.",
    ),
    _refused(
        "source_mismatch",
        "source 属性与主题不符，或该主题没有登记的来源。source 应为 urn:credit:source:<来源>，并发往 credit.events.<来源>。",
        "The source attribute does not match the topic, or the topic has no registered source. Send "
        "urn:credit:source:<source> to credit.events.<source>.",
    ),
    _refused(
        "schema",
        "json_pointer 处的字段不符合该类型的 JSON Schema（topics/schemas）。缺少的补上，多余的删除，格式改正。",
        "The field at json_pointer breaks the type's JSON Schema (topics/schemas). Add what is missing, remove what is "
        "not in it, correct its form.",
    ),
    _refused(
        "impossible_date",
        "json_pointer 处的日期不存在，或止期早于起期。日期格式为 YYYY-MM-DD（北京时间）。",
        "The date at json_pointer does not exist, or an end lies before its beginning. Dates are YYYY-MM-DD (Beijing).",
    ),
    _refused(
        "not_an_authority",
        "json_pointer 处不是可识别的机关名称或代码。填写机关全称（以局、厅、法院等结尾）或其统一社会信用代码。",
        "What stands at json_pointer is no authority's name or code. Give its full name or its unified code.",
    ),
    _refused(
        "not_a_document_number",
        "json_pointer 处不是文号。文号至多 100 字，最后一个数字之后只能是“号”及文书名称，如 测税稽罚〔2026〕1号。",
        "What stands at json_pointer is no document number: at most 100 characters, and after its last digit only the sign "
        "for number and the kind of document.",
    ),
    _refused(
        "identifiers_contradict",
        "同一当事人的两个代码指向不同的主体。核对登记信息，只保留正确的代码。",
        "Two identifiers of one party name different entities. Check the registry and keep the right one.",
    ),
    _refused(
        "citizen_number_in_field",
        "json_pointer 处含有公民身份号码。身份号码只能放在自然人当事人的 citizen_number 中；更换该字段的值后重新发送。",
        "A citizen number stands at json_pointer. It belongs in citizen_number of a party that is a person, nowhere else; "
        "give the field another value and send the event again.",
    ),
    _refused(
        "personal_name_in_field",
        "json_pointer 处含有本事件所列自然人的姓名。该字段会公开传递，请更换其值后重新发送。",
        "The name of a person of this event stands at json_pointer, in a field that travels in the clear. Give the field "
        "another value and send the event again.",
    ),
    _refused(
        "oversized",
        "消息超过大小上限（见 topics/settings.yaml 的 event_max_bytes；当事人多的还要乘以人数）。缩短文字或拆分当事人后发送。",
        "The message is above the size limit (event_max_bytes in topics/settings.yaml; with many parties, times their "
        "number). Shorten its texts or split its parties over several events.",
    ),
    _refused(
        "too_many_parties",
        "一个事件最多 50 个当事人。拆分为多个事件，各用自己的 id。",
        "An event has at most 50 parties. Split it into several events with an id each.",
    ),
    _refused(
        "party_repeated",
        "同一主体在当事人中出现两次。删除重复的一个；其余当事人已经受理。",
        "One entity stands twice among the parties. Remove the second; the other parties were accepted.",
    ),
    Reason(
        "identity_unresolved",
        PARKED,
        retryable=True,
        fix_zh="仅凭所给标识无法确定主体，已密封等待身份核对。可补充统一社会信用代码或组织机构代码后以新 id 发送；自然人无需处理。",
        fix_en="The identifiers given do not name an entity without a look-up; the item waits, sealed. A unified code or "
        "an organization code settles it (send it under a new id). Nothing to do for persons.",
    ),
    Reason(
        "identifier_check_failed",
        PARKED,
        retryable=True,
        fix_zh="json_pointer 处的代码未通过校验，已密封等待确认。核对证照：若有误，以新 id 发送正确代码；若证照即如此，无需处理。",
        fix_en="The code at json_pointer fails its check; the item waits, sealed, for confirmation. Compare it with the "
        "licence: if it is wrong, send the right one under a new id; if the licence says so, nothing is to be done.",
    ),
    _refused(
        "internal_error",
        "处理此消息时程序出错，原文已密封保存。无需修改；请将主题、分区和位移告知信用平台。",
        "The program failed on this message; the original is kept, sealed. Change nothing; tell the platform the topic, "
        "partition and offset.",
    ),
)

_DOSSIER: Final = (
    _refused(
        "id_reused",
        "同一 id 已用于内容不同的事件。id 在来源内必须唯一：为此事件换一个 id；若为更正，发送 credit.correction.v1。",
        "The id was used for an event with another content. Ids are unique within a source: give this event its own; to "
        "correct the earlier one, send credit.correction.v1.",
    ),
    _refused(
        "authority_unregistered",
        "列入或移出名单的机关未在规则库登记。核对机关代码和名称，或向信用平台申请登记。",
        "The authority that lists or delists is not in the rulebook. Check its code and name, or ask for its registration.",
    ),
    _refused(
        "authority_not_competent",
        "规则库中该机关无权作出此类决定。核对 authority、list 和 conduct；确有职权的，向信用平台提交依据。",
        "By the rulebook this authority is not competent for this decision. Check authority, list and conduct; where it "
        "is competent, give the platform the legal basis.",
    ),
    _refused(
        "list_unknown",
        "规则库当日没有此名单，或该名单不以列入决定为准。核对 list 的代码。",
        "The rulebook has no such list in force that day, or entries on it are not made by listing. Check the list's code.",
    ),
    _refused(
        "ground_unknown",
        "该名单没有此列入情形。核对 ground 的代码。",
        "The list has no such ground. Check the code in ground.",
    ),
    _refused(
        "conduct_not_in_catalogue",
        "行为代码不在目录之内或未开放。核对 conduct；不在目录内的行为不予归集。",
        "The conduct is not in the catalogue, or not open. Check its code: what is outside the catalogue is not collected.",
    ),
    _refused(
        "target_of_other_authority",
        "目标决定由其他机关作出。只有原决定机关可以撤销、更正；移出须写明原名单。",
        "The target is another authority's decision. Only the authority that decided withdraws or corrects it; a "
        "delisting names the list it was on.",
    ),
    _refused(
        "target_is_an_end",
        "目标是移出或撤回，其本身不能撤回。应恢复的决定，以更高的 version 或新文号重新发送。",
        "The target is itself a delisting or a withdrawal, which is not withdrawn. Send the decision that should stand again, "
        "with a higher version or a number of its own.",
    ),
    _refused(
        "too_many_open_entries",
        "该主体的有效记录或等待目标的撤回超过上限。通常是重复列入或 target 有误，请核对；确实如此的，联系信用平台。",
        "The entity has more open entries, or ends that wait for their target, than the limit. Mostly a repeated listing or "
        "a wrong target: check it; otherwise tell the platform.",
    ),
    _refused(
        "version_conflict",
        "同一决定的同一版本内容不同。更正后的内容应以更高的 version 发送。",
        "The same version of the decision came with another content. Send the changed content with a higher version.",
    ),
)

REASONS: Final[dict[str, Reason]] = {reason.code: reason for reason in (*_INTAKE, *_DOSSIER)}
INTAKE_CODES: Final = frozenset(reason.code for reason in _INTAKE)
