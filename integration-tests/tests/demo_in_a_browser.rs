//! `afterring demo` as a visitor sees it: a call becomes an SMS becomes a detail; phones off and on; the database abnormal.

use anyhow::Result;
use integration_tests::browser::{Look, play_demo};

#[test]
fn in_chinese_and_light_on_a_desk() -> Result<()> {
    play_demo(Look { language: "zh", scheme: "light", width: 1280 })
}

#[test]
fn in_english_and_dark_on_a_small_screen() -> Result<()> {
    play_demo(Look { language: "en", scheme: "dark", width: 390 })
}
