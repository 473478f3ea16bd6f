"""What reports say to people, in each language: one table a language.

A text tells what happened, to whom, what the other side said and what to do now, in
that order and without words that only administrators know. What a program reads (RFC
3464) stands in a part of its own and is the same in every language.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from sekisho.model.text import Language


class Kind(Enum):
    """What a report tells; the value is the ``Action`` of RFC 3464 §2.3.3."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"


class Advice(Enum):
    """What the sender can do about one recipient."""

    NOTHING = "nothing"
    WAIT = "wait"
    CHECK_ADDRESS = "check the address"
    MAILBOX_FULL = "mailbox full"
    MAKE_SMALLER = "make it smaller"
    REFUSED_BY_RULE = "refused by a rule of the other side"
    CONTENT = "the content cannot be taken"
    HOST_AWAY = "the host did not answer"
    ASK_POSTMASTER = "ask your postmaster"


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """All that is said in one language.

    Attributes:
        subject: Of the report.
        opening: Its first paragraph; `{host}` is ours.
        host_said: Before the words of the next host, `{host}`.
        we_say: Before our own words, where nobody else spoke.
        advice: The line after those words; `{until}` is a date.
        whole: What is attached, where it is the message.
        header_only: What is attached, where it is its header.
        details: `{arrival}` a date, `{id}` the message's id.

    """

    subject: Mapping[Kind, str]
    opening: Mapping[Kind, str]
    host_said: str
    we_say: str
    advice: Mapping[Advice, str]
    whole: str
    header_only: str
    details: str


_ENGLISH = Texts(
    subject={
        Kind.FAILED: "Your message could not be delivered",
        Kind.DELAYED: "Your message is delayed, and is still being tried",
        Kind.DELIVERED: "Your message was delivered",
        Kind.RELAYED: "Your message was passed on",
    },
    opening={
        Kind.FAILED: "This is the mail relay at {host}.\n\n"
        "Your message did not reach the recipients below, and is not tried again.",
        Kind.DELAYED: "This is the mail relay at {host}.\n\n"
        "Your message has not yet reached the recipients below. It is still being\n"
        "tried: please do not send it again.",
        Kind.DELIVERED: "This is the mail relay at {host}.\n\n"
        "As you asked to be told: your message was delivered to the recipients below.",
        Kind.RELAYED: "This is the mail relay at {host}.\n\n"
        "As you asked to be told: your message was passed on towards the recipients\n"
        "below, to a host that will not report whether it arrives.",
    },
    host_said="The host {host} said:",
    we_say="What happened:",
    advice={
        Advice.NOTHING: "",
        Advice.WAIT: "What to do: nothing. It is tried until {until}.",
        Advice.CHECK_ADDRESS: "What to do: look for a mistake in the address. If it is"
        " right, ask the recipient whether it is still in use.",
        Advice.MAILBOX_FULL: "What to do: tell the recipient by other means that the"
        " mailbox is full, and send the message again later.",
        Advice.MAKE_SMALLER: "What to do: make the message smaller, for instance by"
        " sending a link in place of a large attachment.",
        Advice.REFUSED_BY_RULE: "What to do: the other side refuses the message by a"
        " rule of its own. If its words do not help, show them to your postmaster.",
        Advice.CONTENT: "What to do: the other side cannot take a message of this form."
        " Send it as plain text, or from and to addresses of plain letters.",
        Advice.HOST_AWAY: "What to do: look for a mistake after the @. If it is right,"
        " the other side has been out of reach: try again later.",
        Advice.ASK_POSTMASTER: "What to do: show this report to your postmaster.",
    },
    whole="Your message is attached.",
    header_only="The header of your message is attached.",
    details="Received from you: {arrival}\nOur name for it: {id}",
)

_JAPANESE = Texts(
    subject={
        Kind.FAILED: "メールを配送できませんでした",
        Kind.DELAYED: "メールの配送が遅れています(再送を続けています)",
        Kind.DELIVERED: "メールを配送しました",
        Kind.RELAYED: "メールを次のサーバーに渡しました",
    },
    opening={
        Kind.FAILED: "こちらはメール中継サーバー {host} です。\n\n"
        "お送りになったメールは、下記の宛先に届きませんでした。再送は行いません。",
        Kind.DELAYED: "こちらはメール中継サーバー {host} です。\n\n"
        "お送りになったメールは、まだ下記の宛先に届いていません。\n"
        "現在も再送を続けていますので、もう一度お送りになる必要はありません。",
        Kind.DELIVERED: "こちらはメール中継サーバー {host} です。\n\n"
        "配送通知のご要望により、メールを下記の宛先に配送したことをお知らせします。",
        Kind.RELAYED: "こちらはメール中継サーバー {host} です。\n\n"
        "配送通知のご要望により、メールを下記の宛先に向けて次のサーバーに渡したことを\n"
        "お知らせします。そのサーバーは、到着の通知には対応していません。",
    },
    host_said="相手のサーバー {host} の応答:",
    we_say="起きたこと:",
    advice={
        Advice.NOTHING: "",
        Advice.WAIT: "対処: 必要ありません。{until} まで再送を続けます。",
        Advice.CHECK_ADDRESS: "対処: 宛先に誤りがないかご確認ください。正しい場合は、"
        "そのアドレスが今も使われているかを相手の方にお尋ねください。",
        Advice.MAILBOX_FULL: "対処: 受信箱がいっぱいであることを別の方法で相手の方に"
        "伝え、後ほど送り直してください。",
        Advice.MAKE_SMALLER: "対処: 大きな添付ファイルをリンクに替えるなどして、"
        "メールを小さくしてください。",
        Advice.REFUSED_BY_RULE: "対処: 相手側の規則により拒否されました。上の応答で"
        "理由がわからない場合は、応答を添えてメール管理者にご相談ください。",
        Advice.CONTENT: "対処: 相手側はこの形式のメールを受け取れません。テキスト形式"
        "にするか、英数字だけのアドレスをお使いください。",
        Advice.HOST_AWAY: "対処: @ より後ろに誤りがないかご確認ください。正しい場合は、"
        "相手側に接続できない状態です。後ほど送り直してください。",
        Advice.ASK_POSTMASTER: "対処: この通知を添えてメール管理者にご相談ください。",
    },
    whole="お送りになったメールを添付します。",
    header_only="お送りになったメールのヘッダーを添付します。",
    details="受付日時: {arrival}\n受付番号: {id}",
)

TEXTS: Mapping[Language, Texts] = {
    Language.ENGLISH: _ENGLISH,
    Language.JAPANESE: _JAPANESE,
}
