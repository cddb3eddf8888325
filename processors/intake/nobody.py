"""Lists the words and numbers that programs, tills and cashiers write in place of a person whom they do not know."""

from typing import Final

# What databases, spreadsheets and cashiers write where there is no value.
NOTHING: Final = frozenset({
    "NULL", "null", "Null", "(null)", "<null>", "<NULL>", "[NULL]", "[null]", "\\N", "None", "nil", "NaN", "nan", "NaT",
    "<NA>", "undefined", "[object Object]", "N/A", "n/a", "N.A.", "n.a.", "(blank)", "(none)", "(leer)",
    "-", "--", "---", "/", "?", "无", "暂无", "散客", "非会员", "匿名",
    "00000000-0000-0000-0000-000000000000", "{00000000-0000-0000-0000-000000000000}",
})  # fmt: skip
# How a spreadsheet says that it found no value, in several languages.
NOT_FOUND: Final = frozenset({"#N/A", "#N/A!", "#NA", "#NV", "#N/D", "#NULL!"})
# What tills and shops call a buyer whom they do not know, in small letters; the words may be joined in other ways.
_BUYERS: Final = """
none|nil|null|nan|na|unknown|anonymous|guest|guest customer|guest user|guest checkout|guest order|guest account
guest shopper|guest buyer|walk in|walkin|walk in customer|walk in client|walk in guest|walk ins|cash|cash customer
cash sale|cash sales|counter sale|counter sales|counter customer|store customer|shop customer|general customer
default customer|retail customer|casual customer|one time customer|anonymous customer|anonymous user|unknown customer
unknown member|temporary customer|temporary member|no customer|not available|not applicable|not provided|not given
not registered|unregistered|non member|no member|not a member|no name|no account|no card|no loyalty card|no id|no phone
no number|no email|no mail|no e mail|customer|visitor|test customer|test user|test account|test member
dummy|dummy customer|demo customer|deleted|deleted user|deleted customer|deleted account|redacted
anonymized|anonymised
gast|gastkunde|kunde|ohne|ohne angabe|keine|kein name|leer|nein|bar|barzahler|diverse|k.a.|k. a.|n.v.
gastbestellung|gastkonto|laufkunde|laufkundin|laufkundschaft|barkunde|barverkauf|thekenverkauf|anonym
unbekannt|kein kunde|keine karte|ohne karte|ohne kundenkarte|keine e mail|nicht registriert|testkunde|gelöscht
client de passage|client comptoir|vente comptoir|client anonyme|client divers|clients divers|client invité|invité
anonyme|inconnu|sans compte|sans carte|non inscrit|client inconnu|supprimé
consumidor final|cliente final|público en general|publico en general|público general|publico general
cliente ocasional|cliente general|cliente mostrador|venta mostrador|cliente de contado|cliente contado
clientes varios|cliente varios|invitado|cliente invitado|anónimo|anonimo|cliente anónimo|desconocido|sin registro
sin registrar|no registrado|sin tarjeta|sin correo|cliente prueba
convidado|cliente balcão|venda balcão|cliente avulso|consumidor não identificado|não identificado|nao identificado
sem cadastro|não cadastrado|nao cadastrado|sem email|anônimo|desconhecido|cliente teste
ospite|cliente occasionale|cliente generico|cliente di passaggio|cliente banco|sconosciuto|non registrato
balieklant|passant|passanten|losse klant|contante klant|onbekend|anoniem|niet geregistreerd|testklant
gość|klient detaliczny|klient anonimowy|anonimowy|nieznany|misafir|ziyaretçi|perakende müşteri|bilinmiyor
gäst|gæst|gjest|okänd|ukendt|ukjent|kontantkund|kontantkunde|vieras|tuntematon
гость|аноним|неизвестно|неизвестный|розничный покупатель|частное лицо|без карты|покупатель
ضيف|زائر|عميل نقدي|زبون نقدي|غير معروف|مجهول
散户|散客户|零散客户|游客|访客|过客|路人|来宾|无名氏|匿名用户|匿名会员|匿名客户|匿名顾客|匿名买家|匿名购买|普通顾客|普通客户
门店散客|零售客户|零售顾客|现金客户|现金顾客|默认客户|默认会员|默认顾客|临时会员|临时客户|临时顾客|临时用户|未登记|未注册
未知|未知客户|未知会员|未知用户|未知顾客|未填写|未填|未绑定|未留电话|未提供|无会员|无会员卡|无卡|无手机号|无手机|无电话|没有
非会员顾客|非会员客户|非注册会员|到店顾客|到店客户|测试会员|测试用户|测试客户|测试账号|已注销|注销用户|已注销用户|已删除
顾客|客户|空
散戶|遊客|訪客|過客|來賓|匿名用戶|一般客戶|一般顧客|普通客戶|現金客戶|非會員|臨時會員|臨時客戶|未登記|未註冊|未填寫|無會員
ゲスト|ビジター|非会員|一般|一般客|一般のお客様|フリー客|現金客|未登録|会員登録なし|会員なし|会員証なし|不明|名無し|なし
비회원|게스트|손님|일반손님|일반고객|현금고객|미등록|미가입|익명|없음
ลูกค้าทั่วไป|ลูกค้าเงินสด|khách lẻ|khách vãng lai|khách hàng lẻ|pelanggan umum|tamu|tanpa member
"""
# Names before the @ of an address that a cashier writes where one must be given.
_NO_MAILS: Final = (
    "no", "na", "none", "null", "nomail", "noemail", "no-email", "email", "mail", "guest", "test", "unknown",
    "anonymous", "walkin", "cash", "customer",
)  # fmt: skip
_MAIL_ENDS: Final = ("com", "net", "org", "de")
_MAIL_HOSTS: Final = ("example.com", "email.com", "mail.com", "test.com", "none.com")


def _joined(words: str) -> set[str]:
    """A name of several words with blanks, hyphens, underscores and nothing between them, or between the first two."""
    return {words} | {words.replace(" ", by, count) for by in ("-", "_", "") for count in (1, -1)}


NOBODY: Final = frozenset(
    written for name in _BUYERS.replace("\n", "|").split("|") if name for written in _joined(name)
) | {f"{name}@{host}" for name in _NO_MAILS for host in (*_MAIL_HOSTS, *(f"{name}.{end}" for end in _MAIL_ENDS))}
# The numbers that shops give to those who have none, and those of one digit that cashiers type to go on.
# Zeros and nines are nobody's number sooner than others: a shop with numbers of five digits has a member 11111.
FEWEST_ZEROS_OR_NINES: Final = 5
FEWEST_EQUAL_DIGITS: Final = 8
MOST_EQUAL_DIGITS: Final = 20
NO_NUMBERS: Final = (
    frozenset({"0", "00", "000", "0000", "-1"})
    | {digit * count for digit in "09" for count in range(FEWEST_ZEROS_OR_NINES, MOST_EQUAL_DIGITS + 1)}
    | {digit * count for digit in "12345678" for count in range(FEWEST_EQUAL_DIGITS, MOST_EQUAL_DIGITS + 1)}
    | {
        form.replace("d", digit)
        for digit in "0123456789"
        for form in ("ddd-ddd-dddd", "(ddd) ddd-dddd", "ddd ddd dddd", "ddd.ddd.dddd", "+1dddddddddd", "ddd-dddd-dddd")
    }
)
