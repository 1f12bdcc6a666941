//! Twenty stories and more, each a page that anybody can read (`stories/*.story`): who calls whom, and exactly which SMS each phone shows, in which order.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context as _, Result, ensure};
use integration_tests::paths;
use integration_tests::story::play;

#[test]
fn story_01_phone_off_three_callers_phone_on() -> Result<()> {
    play("01-phone-off-three-callers-phone-on")
}

#[test]
fn story_02_redials_are_folded() -> Result<()> {
    play("02-redials-are-folded")
}

#[test]
fn story_03_a_caller_who_hides_the_number() -> Result<()> {
    play("03-a-caller-who-hides-the-number")
}

#[test]
fn story_04_the_database_dies_and_returns() -> Result<()> {
    play("04-the-database-dies-and-returns")
}

#[test]
fn story_05_teaser_fetch_subscribe() -> Result<()> {
    play("05-teaser-fetch-subscribe")
}

#[test]
fn story_06_refused_is_for_ever() -> Result<()> {
    play("06-refused-is-for-ever")
}

#[test]
fn story_07_refused_while_the_database_is_down() -> Result<()> {
    play("07-refused-while-the-database-is-down")
}

#[test]
fn story_08_a_fetch_while_the_database_is_down() -> Result<()> {
    play("08-a-fetch-while-the-database-is-down")
}

#[test]
fn story_09_an_offer_expires() -> Result<()> {
    play("09-an-offer-expires")
}

#[test]
fn story_10_a_second_look_costs_nothing() -> Result<()> {
    play("10-a-second-look-costs-nothing")
}

#[test]
fn story_11_the_quota_is_used_up() -> Result<()> {
    play("11-the-quota-is-used-up")
}

#[test]
fn story_12_quiet_hours() -> Result<()> {
    play("12-quiet-hours")
}

#[test]
fn story_13_consent_by_a_list() -> Result<()> {
    play("13-consent-by-a-list")
}

#[test]
fn story_14_do_not_contact() -> Result<()> {
    play("14-do-not-contact")
}

#[test]
fn story_15_one_offer_then_silence() -> Result<()> {
    play("15-one-offer-then-silence")
}

#[test]
fn story_16_campaigns_in_turn() -> Result<()> {
    play("16-campaigns-in-turn")
}

#[test]
fn story_17_double_opt_in() -> Result<()> {
    play("17-double-opt-in")
}

#[test]
fn story_18_pause_and_resume() -> Result<()> {
    play("18-pause-and-resume")
}

#[test]
fn story_19_language_and_clock() -> Result<()> {
    play("19-language-and-clock")
}

#[test]
fn story_20_copies_for_somebody_else() -> Result<()> {
    play("20-copies-for-somebody-else")
}

#[test]
fn story_21_notify_me() -> Result<()> {
    play("21-notify-me")
}

#[test]
fn story_22_a_long_list_in_chinese() -> Result<()> {
    play("22-a-long-list-in-chinese")
}

#[test]
fn story_23_an_smsc_that_cannot_change_messages() -> Result<()> {
    play("23-an-smsc-that-cannot-change-messages")
}

#[test]
fn story_24_the_gateway_is_killed_in_the_middle() -> Result<()> {
    play("24-the-gateway-is-killed-in-the-middle")
}

#[test]
fn story_25_a_person_is_forgotten() -> Result<()> {
    play("25-a-person-is-forgotten")
}

#[test]
fn story_26_a_feed_that_comes_late() -> Result<()> {
    play("26-a-feed-that-comes-late")
}

/// Nobody adds a story that is never played.
#[test]
fn every_story_has_its_test() -> Result<()> {
    let here = fs::read_to_string(paths::here("tests/twenty_stories.rs"))?;
    let played = here.lines().filter_map(|line| line.strip_prefix("    play(\"")?.strip_suffix("\")"));
    let played: BTreeSet<String> = played.map(str::to_owned).collect();
    let mut written = BTreeSet::new();
    for file in fs::read_dir(paths::here("stories"))? {
        let name = file?.file_name().into_string().ok().context("a name that is no text")?;
        written.insert(name.strip_suffix(".story").with_context(|| format!("{name} is no story"))?.to_owned());
    }
    ensure!(written == played, "written {written:#?}, played {played:#?}");
    ensure!(written.len() >= 20, "{} stories", written.len());
    Ok(())
}
