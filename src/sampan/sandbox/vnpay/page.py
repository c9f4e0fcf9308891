"""The pay page: plain forms, no script, one style sheet."""

from html import escape
from typing import Final
from urllib.parse import urlsplit

from sampan.kernel.http import Answer, html
from sampan.sandbox.vnpay.rules import CHOICES
from sampan.sandbox.vnpay.store import Payment

PREFIX: Final = "/sandbox/vnpay"

TEXTS: Final = {
    "vn": {
        "lang": "vi",
        "title": "Cổng thanh toán mô phỏng",
        "notice": "Đây là trang mô phỏng VNPay dành cho phát triển. Không có tiền thật nào được chuyển.",
        "order": "Nội dung",
        "reference": "Mã giao dịch",
        "amount": "Số tiền",
        "until": "Hết hạn lúc",
        "pay": "Thanh toán",
        "suspicious": "Thanh toán, nhưng bị nghi ngờ",
        "insufficient": "Từ chối: không đủ số dư",
        "locked": "Từ chối: thẻ bị khóa",
        "otp": "Từ chối: sai mã OTP",
        "limit": "Từ chối: vượt hạn mức trong ngày",
        "maintenance": "Từ chối: ngân hàng bảo trì",
        "cancel": "Hủy giao dịch",
        "refused": "Không thể mở trang thanh toán",
        "code": "Mã lỗi",
        "dropped": "Mất kết nối với ngân hàng",
    },
    "en": {
        "lang": "en",
        "title": "Payment page stand-in",
        "notice": "This page stands in for VNPay during development. No real money moves.",
        "order": "Order",
        "reference": "Reference",
        "amount": "Amount",
        "until": "Pay until",
        "pay": "Pay",
        "suspicious": "Pay, but look suspicious",
        "insufficient": "Decline: balance too low",
        "locked": "Decline: card locked",
        "otp": "Decline: wrong one-time code",
        "limit": "Decline: daily limit exceeded",
        "maintenance": "Decline: bank under maintenance",
        "cancel": "Cancel",
        "refused": "The payment page cannot be opened",
        "code": "Error code",
        "dropped": "The connection to the bank was lost",
    },
}

STYLE: Final = b"""
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0; display: grid; place-items: center; min-height: 100vh; }
main { box-sizing: border-box; width: min(30rem, 100%); padding: 1.5rem; }
h1 { font-size: 1.25rem; margin: 0 0 .5rem; }
.notice { padding: .5rem .75rem; border: 1px solid currentColor; border-radius: .5rem; font-size: .875rem; }
dl { display: grid; grid-template-columns: auto 1fr; gap: .25rem 1rem; margin: 1.25rem 0; }
dd { margin: 0; text-align: right; overflow-wrap: anywhere; }
.amount { font-weight: 700; font-size: 1.25rem; }
form { display: grid; gap: .5rem; }
button { font: inherit; padding: .625rem 1rem; border: 1px solid currentColor; border-radius: .5rem; background: none;
  color: inherit; cursor: pointer; }
button[value="pay"] { background: #0b5cab; border-color: #0b5cab; color: #fff; font-weight: 600; }
button:focus-visible { outline: 3px solid #f0a000; outline-offset: 2px; }
"""


def pay_page(payment: Payment) -> Answer:
    """What the payer sees and can choose."""
    texts = TEXTS[payment.locale]
    amount = f"{payment.amount:,}".replace(",", ".")
    rows = (
        ("order", escape(payment.order_info)),
        ("reference", escape(payment.txn_ref)),
        ("amount", f'<span class="amount">{amount} ₫</span>'),
        ("until", f"{payment.expire_date:%H:%M:%S} UTC"),
    )
    listed = "".join(f"<dt>{texts[name]}</dt><dd>{value}</dd>" for name, value in rows)
    buttons = "".join(f'<button name="choice" value="{choice}">{texts[choice]}</button>' for choice in CHOICES)
    body = (
        f'<p class="notice">{texts["notice"]}</p><dl>{listed}</dl>'
        f'<form method="post" action="{PREFIX}/paymentv2/confirm">'
        f'<input type="hidden" name="payment" value="{payment.id}">{buttons}</form>'
    )
    shop = urlsplit(payment.return_url)
    return _page(texts, body, form_action=f"'self' {shop.scheme}://{shop.netloc}")


def refusal_page(locale: str, code: str) -> Answer:
    """Why there is nothing to pay here."""
    texts = TEXTS[locale]
    return _page(texts, f"<p>{texts['refused']}. {texts['code']}: {escape(code)}</p>", status=400)


def dropped_page() -> Answer:
    """The bank has the money, and the payer is left here."""
    return _page(TEXTS["vn"], f"<p>{TEXTS['vn']['dropped']} · {TEXTS['en']['dropped']}</p>", status=502)


def _page(texts: dict[str, str], body: str, *, status: int = 200, form_action: str = "'none'") -> Answer:
    csp = (
        "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
        f"object-src 'none'; form-action {form_action}"
    )
    text = (
        f'<!doctype html><html lang="{texts["lang"]}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{texts["title"]}</title>'
        f'<link rel="stylesheet" href="{PREFIX}/page.css"></head>'
        f"<body><main><h1>{texts['title']}</h1>{body}</main></body></html>"
    )
    return html(text, status=status, headers=[(b"content-security-policy", csp.encode())])
