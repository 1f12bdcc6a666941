//! The texts that are shipped.

use super::{Template, TemplateError, Wording};

const OFFER: &[&str] =
    &["count", "time", "fetch", "subscribe", "unsubscribe", "refuse", "fetch_price", "subscribe_price"];
const NOTICE: &[&str] = &[
    "fetch",
    "subscribe",
    "unsubscribe",
    "refuse",
    "help",
    "confirm",
    "pause",
    "resume",
    "notify_on",
    "notify_off",
    "hide",
    "show",
    "language",
    "copy",
    "fetch_price",
    "subscribe_price",
    "until",
    "window",
    "number",
    "languages",
    "time",
];
const COUNT: &[&str] = &["count"];
const LINE: &[&str] = &["caller", "count", "time"];

pub(super) fn en() -> Result<Wording, TemplateError> {
    let notice = |text| Template::parse(text, NOTICE);
    Ok(Wording {
        time_format: "%-d %b %H:%M".to_owned(),
        withheld: "withheld".to_owned(),
        unknown: "unknown".to_owned(),
        detail_one: Template::parse("1 missed call:", COUNT)?,
        detail_many: Template::parse("{count} missed calls:", COUNT)?,
        fallback_one: Template::parse("Missed call:", COUNT)?,
        fallback_many: Template::parse("Missed calls ({count}):", COUNT)?,
        line_one: Template::parse("{caller} {time}", LINE)?,
        line_many: Template::parse("{caller} ({count}) {time}", LINE)?,
        more: Template::parse("+{count} more", COUNT)?,
        teaser_one: Template::parse(
            "1 missed call, {time}. Reply {fetch} to see who called{fetch_price}, {subscribe} to subscribe\
             {subscribe_price}, {refuse} to get no more of these. This message is free.",
            OFFER,
        )?,
        teaser_many: Template::parse(
            "{count} missed calls, last {time}. Reply {fetch} to see who called{fetch_price}, {subscribe} to subscribe\
             {subscribe_price}, {refuse} to get no more of these. This message is free.",
            OFFER,
        )?,
        price: Template::parse(" ({price})", &["price"])?,
        no_offer: notice("There are no missed calls waiting for you.")?,
        offer_expired: notice("The list of missed calls you asked for is no longer available.")?,
        refused_earlier: notice(
            "You asked not to get missed call messages. Reply {subscribe} to subscribe{subscribe_price}.",
        )?,
        wrong_keyword: notice(
            "Not understood. Reply {fetch} to see your missed calls, {refuse} to get no more of these.",
        )?,
        rate_limited: notice("Too many messages from your number. Please try again later.")?,
        deferred: notice("Thank you, your request has arrived. The answer will follow in a separate message.")?,
        refused: notice("You will get no more of these messages.")?,
        subscribed: notice(
            "You now get a message for every missed call{subscribe_price}. Reply {unsubscribe} to stop.",
        )?,
        unsubscribed: notice("You no longer get messages for missed calls. Reply {subscribe} to subscribe again.")?,
        help: notice(
            "Missed calls: {fetch} to see who called{fetch_price}, {subscribe} to subscribe{subscribe_price}, \
             {unsubscribe} to stop, {refuse} for no more messages.",
        )?,
        suspended: notice("Your missed call messages are suspended. Please ask customer service.")?,
        confirmation_asked: notice("Reply {confirm} to get a message for every missed call{subscribe_price}.")?,
        nothing_to_confirm: notice("There is nothing to confirm.")?,
        paused: notice("Missed calls are held until {until}, then told in one message. Reply {resume} to end this.")?,
        paused_daily: notice(
            "Missed calls are held every day {window}, then told in one message. Reply {resume} to end this.",
        )?,
        resumed: notice("Missed calls are no longer held.")?,
        notify_on: notice("You are told when somebody you rang can be reached again. Reply {notify_off} to stop.")?,
        notify_off: notice("You are no longer told when somebody you rang can be reached again.")?,
        hidden: notice(
            "Callers are no longer told when you can be reached again{number}. Reply {show} to change this.",
        )?,
        shown: notice("Callers may be told when you can be reached again{number}. Reply {hide} to stop.")?,
        language_set: notice("Messages to you are in English now.")?,
        language_unknown: notice("Reply {language} and one of: {languages}")?,
        copy_asked: notice("{number} is asked whether it wants copies of your missed call messages.")?,
        copy_question: notice(
            "{number} wants to send you copies of missed call messages. Reply {confirm} to agree; else nothing is sent.",
        )?,
        copy_agreed: notice("You now get copies of the missed call messages of {number}. Reply {refuse} to stop.")?,
        copy_begins: notice("{number} now gets copies of your missed call messages. Reply {copy} OFF to stop.")?,
        copy_of: notice("Copy for {number}:")?,
        copy_ended: notice("No more copies of missed call messages are sent.")?,
        not_subscribed: notice("This is for subscribers. Reply {subscribe} to subscribe{subscribe_price}.")?,
        bad_argument: notice("Not understood. Reply {help} for help.")?,
        reachable: notice("{number} can be reached again since {time}. You may try calling again now.")?,
    })
}

pub(super) fn zh_cn() -> Result<Wording, TemplateError> {
    let notice = |text| Template::parse(text, NOTICE);
    let teaser = Template::parse(
        "您有{count}个未接来电，最近一次{time}。回复{fetch}查看来电号码{fetch_price}，{subscribe}开通提醒\
         {subscribe_price}，{refuse}不再提醒。本条免费。",
        OFFER,
    )?;
    Ok(Wording {
        time_format: "%m-%d %H:%M".to_owned(),
        withheld: "隐藏号码".to_owned(),
        unknown: "未知号码".to_owned(),
        detail_one: Template::parse("您有1个未接来电：", COUNT)?,
        detail_many: Template::parse("您有{count}个未接来电：", COUNT)?,
        fallback_one: Template::parse("来电提醒：", COUNT)?,
        fallback_many: Template::parse("来电提醒（{count}个）：", COUNT)?,
        line_one: Template::parse("{caller} {time}", LINE)?,
        line_many: Template::parse("{caller} {count}次 {time}", LINE)?,
        more: Template::parse("另有{count}个", COUNT)?,
        teaser_one: teaser.clone(),
        teaser_many: teaser,
        price: Template::parse("（{price}）", &["price"])?,
        no_offer: notice("您目前没有可查看的未接来电。")?,
        offer_expired: notice("您查询的未接来电记录已过期。")?,
        refused_earlier: notice("您已选择不再接收来电提醒。回复{subscribe}可开通{subscribe_price}。")?,
        wrong_keyword: notice("无法识别您的回复。回复{fetch}查看未接来电，回复{refuse}不再提醒。")?,
        rate_limited: notice("您的短信过于频繁，请稍后再试。")?,
        deferred: notice("您的请求已收到，稍后将以短信回复。")?,
        refused: notice("您将不再收到此类提醒。")?,
        subscribed: notice("您已开通来电提醒{subscribe_price}。回复{unsubscribe}可取消。")?,
        unsubscribed: notice("您已取消来电提醒。回复{subscribe}可再次开通。")?,
        help: notice(
            "来电提醒：{fetch}查看来电{fetch_price}，{subscribe}开通{subscribe_price}，{unsubscribe}取消，{refuse}不再提醒。",
        )?,
        suspended: notice("您的来电提醒已暂停，请联系客服。")?,
        confirmation_asked: notice("回复{confirm}确认开通来电提醒{subscribe_price}。")?,
        nothing_to_confirm: notice("没有需要确认的内容。")?,
        paused: notice("来电提醒已暂停至{until}，届时汇总发送。回复{resume}可恢复。")?,
        paused_daily: notice("每日{window}暂停来电提醒，结束后汇总发送。回复{resume}可恢复。")?,
        resumed: notice("来电提醒已恢复。")?,
        notify_on: notice("您呼叫过的用户恢复可接通时将通知您。回复{notify_off}可关闭。")?,
        notify_off: notice("您将不再收到可接通通知。")?,
        hidden: notice("您恢复可接通时不再通知来电者{number}。回复{show}可更改。")?,
        shown: notice("您恢复可接通时可通知来电者{number}。回复{hide}可关闭。")?,
        language_set: notice("短信已改为中文。")?,
        language_unknown: notice("请回复{language}加语言：{languages}")?,
        copy_asked: notice("正在询问{number}是否接收您的来电提醒副本。")?,
        copy_question: notice("{number}希望向您抄送来电提醒。回复{confirm}同意，否则不会发送。")?,
        copy_agreed: notice("您将收到{number}的来电提醒副本。回复{refuse}可停止。")?,
        copy_begins: notice("{number}将收到您的来电提醒副本。回复{copy} OFF可停止。")?,
        copy_of: notice("{number}的来电提醒副本：")?,
        copy_ended: notice("来电提醒副本已停止发送。")?,
        not_subscribed: notice("此功能仅限已开通用户。回复{subscribe}可开通{subscribe_price}。")?,
        bad_argument: notice("无法识别。回复{help}获取帮助。")?,
        reachable: notice("{number}已于{time}恢复可接通，您可再次拨打。")?,
    })
}
