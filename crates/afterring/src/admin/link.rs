//! What operators see of one link.

use std::collections::BTreeMap;
use std::time::Duration;

use console::{AnswerView, Check, ClosedView, Found, LinkOrder, LinkView, LinkWish, OrderError, OrderedView};
use smpp_client::{Closed, LinkState, LinkStatus, Links, NotOrdered};

/// Hands an operator's order to the links.
pub(super) fn order(links: &Links, order: &LinkOrder) -> Result<(), OrderError> {
    let what = match order.what {
        LinkWish::Drain { until } => smpp_client::LinkOrder::Drain { until },
        LinkWish::Unbind { until } => smpp_client::LinkOrder::Unbind { until },
        LinkWish::Rebind => smpp_client::LinkOrder::Rebind,
    };
    links.order(order.link.as_deref(), what).map_err(|error| match error {
        NotOrdered::NoSuchLink => OrderError::NoSuchLink(order.link.clone().unwrap_or_default()),
        NotOrdered::Closing => OrderError::Stopping,
    })
}

/// A link in `/v1/status`.
pub(super) fn view(link: &LinkStatus) -> LinkView {
    LinkView {
        name: link.name.0.clone(),
        smsc: link.smsc.0.clone(),
        bind: link.bind.as_str(),
        state: link.state.as_str(),
        since: Some(link.since),
        detail: link.last_closed.filter(|_| link.state != LinkState::Bound).map(|closed| closed.to_string()),
        ordered: link
            .ordered
            .and_then(|order| Some(OrderedView { what: order.what().as_str(), until: order.until()? })),
        last_closed: link.last_closed.map(closed),
        round_trip_us: link.round_trip.map(|took| u64::try_from(took.as_micros()).unwrap_or(u64::MAX)),
        window: link.window,
        in_flight: link.in_flight,
        rate: link.rate,
        slowed_to: link.slowed_to,
        throttled: link.throttled,
        throttled_ms: millis(link.throttled_for),
        answers: answers(link.answer_seconds.bounds, &link.answer_seconds.counts),
        abilities: link.abilities.words().into(),
        counts: counts(link),
    }
}

fn closed(closed: Closed) -> ClosedView {
    let Closed { at, why } = closed;
    ClosedView { at, why: why.to_string(), word: why.as_str(), detail: why.detail(), by: why.by().as_str() }
}

/// A link among the checks of `/readyz?verbose`. One that is down never makes the gateway unready by itself: alerts wait, or take another link.
pub(super) fn check(link: &LinkStatus) -> Check {
    let bound = link.state == LinkState::Bound;
    let mut detail = format!("{} ({}): {} since {}", link.name, link.bind.as_str(), link.state, link.since);
    if let LinkState::Down { until, .. } = link.state {
        detail = format!("{detail}, next attempt at {until}");
    }
    if let LinkState::Away { until } = link.state {
        detail = format!("{detail}, away by order until {until}");
    }
    if let Some(closed) = link.last_closed.filter(|_| !bound) {
        detail = format!("{detail}; {closed}");
    }
    if bound && link.bind.transmits() {
        detail = format!("{detail}; {} of {} submits unanswered", link.in_flight, link.window);
    }
    if link.throttled {
        detail = format!("{detail}; throttled by the SMSC");
    }
    if let Some(rate) = link.slowed_to {
        detail = format!("{detail}; slowed to {rate} a second, as the SMSC asked");
    }
    if let Some(AnswerView { p99_ms: Some(p99), .. }) = view(link).answers {
        detail = format!("{detail}; 99 of 100 answers within {p99} ms");
    }
    Check { name: "link", ok: true, degraded: !bound, found: Found::Terms(detail) }
}

fn counts(link: &LinkStatus) -> BTreeMap<&'static str, u64> {
    let counts = &link.counts;
    BTreeMap::from([
        ("submits", counts.submits),
        ("accepted", counts.accepted),
        ("later", counts.later),
        ("refused", counts.refused),
        ("not_sent", counts.not_sent),
        ("in_doubt", counts.in_doubt),
        ("late_answers", counts.late_answers),
        ("receipts", counts.receipts),
        ("disagreeing_receipts", counts.disagreeing_receipts),
        ("replies", counts.replies),
        ("connects", counts.connects),
        ("disconnects", counts.disconnects),
        ("throttles", counts.throttles),
        ("updates", counts.updates),
        ("bad_pdus", counts.bad_pdus + counts.unknown_answers),
    ])
}

/// How long answers took, by the upper bounds in seconds and by how many fell into each; `None` where there were none.
pub(super) fn answers(bounds: &[f64], counts: &[u64]) -> Option<AnswerView> {
    let count: u64 = counts.iter().sum();
    (count > 0).then(|| AnswerView { count, p50_ms: within(bounds, counts, 50), p99_ms: within(bounds, counts, 99) })
}

/// The least bound in milliseconds that so many of 100 answers were within; `None` where they took longer than every bound.
fn within(bounds: &[f64], counts: &[u64], of_hundred: u64) -> Option<u64> {
    let wanted = (counts.iter().sum::<u64>() * of_hundred).div_ceil(100);
    let mut sum = 0;
    let place = counts.iter().position(|count| {
        sum += count;
        sum >= wanted
    });
    bounds.get(place?).map(|bound| millis(Duration::from_secs_f64(*bound)))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{LinkName, SmscName, Timestamp};
    use smpp_client::{Abilities, Ability, AnswerSeconds, Bind, Closed, LinkCounts, Ordered, TlsFault, Why};

    fn link() -> LinkStatus {
        LinkStatus {
            name: LinkName("n/tx1".into()),
            smsc: SmscName("n".into()),
            state: LinkState::Bound,
            since: Timestamp::from_millis(0),
            last_closed: Some(Closed { why: Why::PeerUnbound, at: Timestamp::from_millis(0) }),
            ordered: None,
            round_trip: Some(Duration::from_micros(700)),
            ends: Vec::new(),
            bind: Bind::Transmitter,
            window: 10,
            rate: 50,
            slowed_to: Some(25),
            throttled_for: Duration::from_millis(1500),
            in_flight: 3,
            throttled: true,
            abilities: Abilities { replace: Ability::Cannot, cancel: Ability::Can, query: Ability::Unknown },
            counts: LinkCounts { in_doubt: 2, bad_pdus: 1, unknown_answers: 1, ..LinkCounts::default() },
            answer_seconds: AnswerSeconds {
                bounds: &[0.002, 0.01, 10.0],
                bounds_ms: &[2, 10, 10_000],
                counts: vec![98, 1, 0, 1],
                sum: 1.0,
            },
        }
    }

    #[test]
    fn pages_have_chinese_words_for_every_end_of_a_link() {
        let names = |list: &[(&'static str, &str)]| list.iter().map(|(word, _)| *word).collect::<Vec<_>>();
        assert_eq!(names(&console::LINK_ENDS), Why::WORDS);
        let ordered = [Ordered::Drain, Ordered::Unbind, Ordered::Rebind].map(Ordered::as_str);
        let details: Vec<_> = TlsFault::ALL.map(TlsFault::as_str).into_iter().chain(ordered).collect();
        assert_eq!(names(&console::LINK_END_DETAILS), details);
    }

    #[test]
    fn a_bound_link_says_how_fast_it_is() {
        let view = view(&link());
        assert_eq!((view.bind, view.detail, view.slowed_to, view.throttled_ms), ("transmitter", None, Some(25), 1500));
        assert_eq!(view.answers, Some(AnswerView { count: 100, p50_ms: Some(2), p99_ms: Some(10) }));
        let last_closed = view.last_closed.map(|closed| (closed.word, closed.by));
        assert_eq!((last_closed, view.round_trip_us), (Some(("peer_unbound", "peer")), Some(700)));
        assert_eq!((view.counts["in_doubt"], view.counts["bad_pdus"]), (2, 2));
        let abilities = [("cancel_sm", "can"), ("query_sm", "unknown"), ("replace_sm", "cannot")];
        assert_eq!(view.abilities.into_iter().collect::<Vec<_>>(), abilities);
        let check = check(&link());
        let expected = "n/tx1 (transmitter): bound since 1970-01-01T00:00:00.000Z; 3 of 10 submits unanswered; throttled by the SMSC; \
                        slowed to 25 a second, as the SMSC asked; 99 of 100 answers within 10 ms";
        assert_eq!((check.found, check.degraded), (Found::Terms(expected.to_owned()), false));
    }

    #[test]
    fn a_link_that_is_down_says_why_and_when_it_is_tried_again() {
        let at = Timestamp::from_millis(1000);
        let why = Why::BindRefused { status: 0x0e };
        let down = LinkStatus {
            state: LinkState::Down { until: at, why },
            last_closed: Some(Closed { why, at }),
            throttled: false,
            slowed_to: None,
            answer_seconds: AnswerSeconds { bounds: &[1.0], bounds_ms: &[1_000], counts: vec![0, 0], sum: 0.0 },
            ..link()
        };
        let detail = check(&down).found.words(console::PageLanguage::En);
        assert!(
            detail.contains("next attempt at 1970-01-01T00:00:01.000Z") && detail.contains("ESME_RINVPASWD"),
            "{detail}"
        );
        assert_eq!(view(&down).answers, None);
        assert!(view(&down).detail.is_some_and(|detail| detail.contains("ESME_RINVPASWD")));
    }

    #[test]
    fn a_link_that_was_ordered_away_says_until_when() {
        let until = Timestamp::from_millis(60_000);
        let away = LinkStatus {
            state: LinkState::Away { until },
            ordered: Some(smpp_client::LinkOrder::Drain { until }),
            last_closed: Some(Closed { why: Why::Ordered(Ordered::Drain), at: Timestamp::from_millis(0) }),
            ..link()
        };
        let check = check(&away);
        let expected = "away by order until 1970-01-01T00:01:00.000Z; drained by order at 1970-01-01T00:00:00.000Z";
        let found = check.found.words(console::PageLanguage::En);
        assert!(found.contains(expected), "{found}");
        assert!(check.ok && check.degraded);
        assert_eq!(view(&away).ordered, Some(OrderedView { what: "drain", until }));
    }

    #[test]
    fn answers_that_took_longer_than_every_bound_have_none() {
        assert_eq!(answers(&[1.0], &[1, 1]), Some(AnswerView { count: 2, p50_ms: Some(1000), p99_ms: None }));
    }
}
