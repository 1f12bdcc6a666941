//! Tests: what the effects of a decision do in a store that is alone.

use model::{AlertId, Msisdn, Timestamp};
use routing::{
    Alert, AlertState, CampaignName, CampaignStep, Conversion, Decision, Effect, Event, Evidence, EvidenceOf, List,
    Listed, RangeName, Saying, Verdict, Word,
};

use super::{Embedded, EmbeddedSettings};
use crate::{CampaignCount, ListEntry, Store as _, StoreError};

fn person(n: u64) -> Msisdn {
    Msisdn::try_from(8_613_800_000_000 + n).unwrap()
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_795_435_200_000 + millis)
}

fn range() -> RangeName {
    RangeName("north".to_owned())
}

fn teaser(id: i64, campaign: Option<&str>) -> Effect {
    Effect::Alert(Alert {
        id: AlertId(id),
        to: person(1),
        kind: model::Kind::Teaser,
        source: model::Address::parse("12599").unwrap(),
        text: String::new(),
        told: Vec::new(),
        more: 0,
        created_at: at(0),
        validity: std::time::Duration::from_secs(60),
        attempts: 0,
        doubts: 0,
        put_off: 0,
        avoid: None,
        campaign: campaign.map(|name| CampaignName(name.to_owned())),
        again: None,
        trail: Vec::new(),
        state: AlertState::Queued { not_before: at(0) },
    })
}

fn step(campaign: &str, step: Conversion, at: Timestamp) -> Effect {
    Effect::Campaign(CampaignStep { campaign: CampaignName(campaign.to_owned()), range: range(), step, at })
}

async fn apply(store: &Embedded, effects: Vec<Effect>) -> u64 {
    let done = store.write(1, move |turn| {
        turn.apply(Decision { verdict: Verdict::Alert, effects: effects.clone() }, Some(&range()))?;
        Ok(turn.campaign_turn(&range()))
    });
    done.await.unwrap()
}

fn open(dir: &std::path::Path) -> Embedded {
    Embedded::open(EmbeddedSettings::new(dir.to_owned(), std::time::Duration::from_secs(86_400)), at(0)).unwrap()
}

#[tokio::test]
async fn the_turn_moves_with_each_new_teaser_that_carries_a_campaign_also_within_a_batch_and_outlives_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let batch = vec![teaser(1, Some("summer")), teaser(2, None), teaser(3, Some("autumn"))];
    assert_eq!(apply(&store, batch).await, 2);
    assert_eq!(apply(&store, vec![teaser(3, Some("autumn"))]).await, 2, "changed, not new");
    assert_eq!(apply(&store, vec![teaser(4, Some("summer"))]).await, 3);
    let failed = store.write(1, move |turn| {
        turn.apply(Decision { verdict: Verdict::Alert, effects: vec![teaser(5, Some("summer"))] }, Some(&range()))?;
        Err::<(), _>(StoreError::NotLoaded)
    });
    assert!(failed.await.is_err());
    store.close().await;
    let store = open(dir.path());
    assert_eq!(apply(&store, Vec::new()).await, 3);
    store.close().await;
}

#[tokio::test]
async fn evidence_campaigns_words_and_lists_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let evidence = Evidence {
        called: person(1),
        at: at(5),
        what: EvidenceOf::Refused,
        text: Some("r".to_owned()),
        to: Some("12599".to_owned()),
        smsc: None,
        teased_at: None,
        range: Some(range()),
        campaign: None,
        alert: None,
    };
    let word = Word { to: person(2), from: person(1), at: at(5), saying: Saying::CopyAsked };
    let day = 86_400_000;
    let effects = vec![
        Effect::Evidence(evidence.clone()),
        Effect::Word(word.clone()),
        step("summer", Conversion::Teased, at(0)),
        step("summer", Conversion::Teased, at(0)),
        step("summer", Conversion::Teased, at(day)),
        step("summer", Conversion::Fetched, at(day)),
        step("autumn", Conversion::Subscribed, at(0)),
    ];
    apply(&store, effects).await;
    assert_eq!(store.evidence(person(1)).await.unwrap(), [evidence]);
    let count = |campaign: &str, teased, fetched, subscribed| CampaignCount {
        campaign: CampaignName(campaign.to_owned()),
        range: range(),
        teased,
        fetched,
        subscribed,
    };
    assert_eq!(store.campaigns().await.unwrap(), [count("autumn", 0, 0, 1), count("summer", 3, 1, 0)]);
    let words: Vec<_> = store.next(10).await.into_iter().map(|journaled| journaled.event).collect();
    assert_eq!(words, [Event::Word(word)], "decided in turn, once");

    let entry = |list| ListEntry { number: person(3), list, source: "cli".to_owned(), at: at(0) };
    store.put_listed(vec![entry(List::Customers), entry(List::DoNotContact)]).await.unwrap();
    let listed = store.write(1, |turn| Ok((turn.listed(person(3))?, turn.listed(person(4))?))).await.unwrap();
    assert_eq!(listed, (Listed { consent: false, customers: true, do_not_contact: true }, Listed::default()));
    store.close().await;
}
