"""Words by which a text is known as an organisation's name, an authority's or an instrument's: data for ``personal``.

Not for: deciding who somebody is. A missing word only keeps a text sealed; a word too many could let a person's name out,
so single characters, which also end given names, count in longer texts only.
"""

from __future__ import annotations

from typing import Final


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# Endings of organisations' names (机构名称的结尾).
ORGANISATION_ENDINGS: Final = _words(
    "公司 集团 企业 合作社 联社 总社 供销社 出版社 杂志社 报社 通讯社 旅行社 信用社 合伙 中心 总厂 分厂 工厂 "
    "制造厂 加工厂 饮品厂 商店 分店 总店 药店 酒店 饭店 书店 网店 便利店 专卖店 连锁店 美容店 药房 大药房 餐厅 餐馆 "
    "宾馆 旅馆 会馆 茶馆 图书馆 博物馆 体育馆 超市 商场 市场 商城 商行 车行 洋行 银行 支行 分行 总行 储蓄所 事务所 "
    "研究所 派出所 交易所 诊所 研究院 设计院 医院 卫生院 法院 检察院 学院 剧院 影院 敬老院 养老院 学校 大学 中学 小学 "
    "幼儿园 公园 植物园 动物园 产业园 工业园 基金会 协会 学会 商会 联合会 总会 工会 委员会 居委会 村委会 理事会 促进会 "
    "经营部 营业部 门市部 服务部 批发部 项目部 工程部 维修部 俱乐部 工作室 办公室 办事处 管理处 代表处 加油站 服务站 "
    "工作站 电站 水站 农场 林场 牧场 养殖场 种植园 采石场 煤矿 铁矿 矿业 基地 政府 网吧 幼教 苗圃 车队 施工队 工程队 "
    "寺庙 教堂 合作组织 经济联合体 财务部 分公司 子公司 厂部"
)
ORGANISATION_LAST_CHARACTERS: Final = frozenset("厂店社院所局厅部会园馆场站队处行司铺吧坊")

# What may stand in brackets after it: forms of enterprise and how far its seat reaches.
ORGANISATION_TAILS: Final = _words(
    "普通合伙 有限合伙 特殊普通合伙 特殊的普通合伙 个人独资 集团 中国 香港 澳门 外商独资 中外合资 股份合作 股份制 "
    "破产管理人 已注销 已吊销 吊销未注销 原国有"
)
PLACE_ENDINGS: Final = ("省", "市", "区", "县", "镇", "乡", "州", "旗")

ENGLISH_ENDINGS: Final = ("LTD", "LIMITED", "INC", "LLC", "LLP", "CORP", "CORPORATION", "COMPANY", "GMBH", "PLC", "S.A")

# Endings of authorities' names (机关名称的结尾).
AUTHORITY_ENDINGS: Final = _words(
    "局 厅 署 法院 检察院 政府 海关 委员会 管委会 发改委 国资委 卫健委 住建委 经信委 教委 农委 科委 建委 编委 财政部 "
    "公安部 商务部 教育部 司法部 建设部 保障部 资源部 环境部 农村部 旅游部 运输部 水利部 管理部 信息化部 技术部 民政部 "
    "外交部 国防部 安全部 国务院 办公厅 办公室 办事处 管理处 税务处 监察处 执法处 专员办 总队 支队 大队 中队 "
    "执法队 派出所 监管所 管理所 税务所 司法所 监督所 交易所 管理站 监督站 检测站 中心 银行 分行 支行 证监会 银保监会 "
    "银监会 保监会 仲裁委 管理会 高院 中院 中级院 基层院 研究院 检验院 监督院 协会"
)

AUTHORITY_TAILS: Final = ("本级", "机关", "本部")

# Endings of instruments' names (法律、法规、规章和文件名称的结尾).
INSTRUMENT_ENDINGS: Final = _words(
    "法 法典 条例 办法 规定 细则 规则 规程 规范 章程 准则 解释 意见 通知 方案 标准 目录 制度 "
    "公约 协定 议定书 基准 清单 指引 指南 修正案 若干问题 备忘录 暂行规定 实施细则 大纲 纲要 守则"
)

# Decisions, orders and announcements are instruments only where one of these made them: others name the punished.
DECREE_ENDINGS: Final = ("决定", "公告", "命令", "令", "批复")
DECREE_STARTS: Final = (
    "全国人民代表大会",
    "国务院",
    "最高人民法院",
    "最高人民检察院",
    "财政部",
    "国家税务总局",
    "海关总署",
)

# What departments write after the last digit of a document number (文号).
DOCUMENT_NUMBER_TAILS: Final = _words(
    "号 号文 号令 号公告 号决定 号决定书 号处罚决定书 号行政处罚决定书 号处理决定书 号处罚决定 号处理决定 号判决书 号裁定书 "
    "号民事判决书 号刑事判决书 号行政判决书 号执行裁定书 号民事裁定书 号通知书 号告知书 号认定书 号决定 号裁定 号通知 "
    "号之一 号之二 号之三 号之四 号之五 号之六 号之七 号之八 号之九 号之十 号补正 号更正 之一 之二 之三"
)

# What ``until_basis`` may say in the clear beside an instrument and an article (期限依据).
TERM_PHRASES: Final = _words(
    "决定书 本决定 处罚决定 处罚决定书 行政处罚决定书 列入决定 列入决定书 认定决定书 判决书 裁定书 通知书 公告 "
    "载明 确定 规定 的 期限 起 止 按 按照 依据 根据 至 期满 届满 本 年 月 日 个 三 二 一 五 六"
)
