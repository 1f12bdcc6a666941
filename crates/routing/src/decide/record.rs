//! What is kept of what people said, and how far campaigns came.

use super::case::Case;
use crate::{Alert, CampaignName, CampaignStep, Conversion, Effect, Evidence, EvidenceOf, Offer, RangeName};

/// Characters of a text that are kept as evidence: those of one message.
const MAX_WORDS: usize = 160;

/// Keeps what the person said as evidence, word for word, with the teaser that it answers and the alert that was queued last: call it after the answer
/// is queued.
pub(super) fn evidence(case: &mut Case<'_>, what: EvidenceOf) {
    // The offer as it was: what the person says may have ended it.
    let offer = case.view.call_box.offer.as_ref();
    let evidence = Evidence {
        called: case.call_box.called,
        at: case.now,
        what,
        text: case.said.as_ref().map(|text| text.chars().take(MAX_WORDS).collect()),
        to: case.reply.map(|reply| reply.to.clone()),
        smsc: case.reply.map(|reply| reply.smsc.clone()),
        teased_at: offer.map(|offer| offer.teased_at),
        range: offer.map(|offer| offer.range.clone()),
        campaign: offer.and_then(|offer| offer.campaign.clone()),
        alert: case.answer(),
    };
    case.effect(Effect::Evidence(evidence));
}

/// The person did what the offer of a campaign was for, while it lived.
pub(super) fn converted(case: &mut Case<'_>, step: Conversion) {
    let now = case.now;
    let living = |offer: &&Offer| now < offer.expires_at;
    // As it was, or as a request that waited for us made it last.
    let offer = case.call_box.offer.as_ref().or(case.view.call_box.offer.as_ref());
    let Some(Offer { range, campaign: Some(campaign), .. }) = offer.filter(living) else { return };
    let (range, campaign) = (range.clone(), campaign.clone());
    count(case, range, campaign, step);
}

/// The SMSC took a teaser, once for each.
pub(super) fn teased(case: &mut Case<'_>, teaser: &Alert) {
    let Some(campaign) = teaser.campaign.clone() else { return };
    let own = case.call_box.offer.as_ref().filter(|offer| offer.teased_at == teaser.created_at);
    // Who refused meanwhile has no offer; ranges may have been renamed. Who was teased is counted in a range.
    let range = own.map(|offer| &offer.range);
    let range = range.or_else(|| case.range().map(|range| &range.name)).or_else(|| case.call_box.counted_in.last());
    let Some(range) = range.cloned() else { return };
    count(case, range, campaign, Conversion::Teased);
}

fn count(case: &mut Case<'_>, range: RangeName, campaign: CampaignName, step: Conversion) {
    let at = case.now;
    case.effect(Effect::Campaign(CampaignStep { campaign, range, step, at }));
}
