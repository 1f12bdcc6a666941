//! `docs/for-marketing.md`: the gateway takes every block of settings as it stands there, with the texts that it shows.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use integration_tests::{World, paths};

/// Where the document's texts are.
const TEXTS: &str = "/etc/afterring/texts";

fn guide() -> Result<String> {
    Ok(fs::read_to_string(paths::root().join("docs/for-marketing.md"))?)
}

/// The blocks of a language, each with the last line before it.
fn blocks<'a>(guide: &'a str, language: &str) -> Vec<(&'a str, &'a str)> {
    let mut found = Vec::new();
    let mut rest = guide;
    while let Some((before, after)) = rest.split_once(&format!("```{language}\n")) {
        let (block, further) = after.split_once("```").unwrap_or((after, ""));
        found.push((before.trim_end().lines().last().unwrap_or_default(), block));
        rest = further;
    }
    found
}

/// Writes the document's texts into a world's folder.
fn write_texts(guide: &str, world: &World) -> Result<usize> {
    let texts = blocks(guide, "toml");
    for (before, text) in &texts {
        let path = before.strip_prefix(&format!("`{TEXTS}/")).and_then(|line| line.strip_suffix("`:"));
        let path = world.folder().join("texts").join(path.with_context(|| format!("{before}: no file of texts"))?);
        fs::create_dir_all(path.parent().context("a folder")?)?;
        fs::write(path, text)?;
    }
    Ok(texts.len())
}

/// A world with the settings of a block.
fn world(block: &str, guide: &str) -> Result<World> {
    let mut world = World::new()?;
    write_texts(guide, &world)?;
    let texts = world.folder().join("texts").display().to_string();
    for line in block.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let setting = line.strip_prefix("AFTERRING_").and_then(|line| line.split_once('='));
        let (key, value) = setting.with_context(|| format!("{line}: no setting"))?;
        world.set(key, &value.trim_matches('\'').replace(TEXTS, &texts));
    }
    Ok(world)
}

#[test]
fn block_by_block() -> Result<()> {
    let guide = guide()?;
    let settings = blocks(&guide, "sh");
    ensure!(settings.len() >= 5 && blocks(&guide, "toml").len() >= 2, "the guide shows no settings any more");
    for (_, block) in settings {
        let output = world(block, &guide)?.output(&["check"])?;
        ensure!(output.status.code() == Some(0), "{block}\n{output:?}");
    }
    Ok(())
}

/// Settings that nobody knows would be refused: the test above can fail.
#[test]
fn a_block_with_a_fault_is_refused() -> Result<()> {
    let output = world("AFTERRING_RANGES='north=861390*:50000?quiet=late'\n", &guide()?)?.output(&["check"])?;
    ensure!(output.status.code() == Some(78), "{output:?}");
    Ok(())
}
