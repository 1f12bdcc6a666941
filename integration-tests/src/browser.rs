//! A real browser: scripts for Debian's chromium, driven by playwright-core (`peers/`).

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::{paths, wait};

/// How the browser shows a page.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// `zh` or `en`.
    pub language: &'static str,
    /// `light` or `dark`.
    pub scheme: &'static str,
    /// Width of the window, in CSS pixels.
    pub width: u32,
}

/// Plays `demo.spec.js`; its pictures go to `target/screenshots/`, to be looked at.
///
/// # Errors
/// When something was otherwise than the script says.
pub fn play_demo(look: Look) -> Result<()> {
    let pictures = paths::target().join("screenshots");
    play(Command::new("node").arg(paths::here("peers/demo.spec.js")).arg(paths::afterring()?).arg(&pictures).args([
        look.language,
        look.scheme,
        &look.width.to_string(),
    ]))
    .with_context(|| format!("pictures are in {}", pictures.display()))
}

/// Plays a part of `console.spec.js` (`questions`, `zh` or `en`) at a gateway: its operators' listener, and the URL of its calls API.
///
/// # Errors
/// When something was otherwise than the script says.
pub fn visit_console(admin: &str, calls: &str, part: &str) -> Result<()> {
    let pictures = paths::target().join("screenshots");
    play(Command::new("node").arg(paths::here("peers/console.spec.js")).args([admin, calls]).arg(&pictures).arg(part))
        .with_context(|| format!("pictures are in {}", pictures.display()))
}

fn play(script: &mut Command) -> Result<()> {
    let mut script = script.stdin(Stdio::null()).spawn().context("node: run integration-tests/run once")?;
    let status = wait::within(Duration::from_secs(270), "the script ends", || Ok(script.try_wait()?));
    if status.is_err() {
        // It hangs: its processes end with the test's process group.
        script.kill()?;
    }
    let status = status?;
    ensure!(status.success(), "see above");
    Ok(())
}
