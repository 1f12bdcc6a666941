//! What docs/texts.md shows of `afterring texts preview` is what the built command prints.
#![allow(missing_docs, clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const PAGE: &str = include_str!("../../../docs/texts.md");

/// What the page shows between a line and the end of its block.
fn block(after: &str) -> &'static str {
    let (_, rest) = PAGE.split_once(after).unwrap();
    rest.split_once("```").unwrap().0
}

fn run(dir: &Path, arguments: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_afterring"));
    command
        .args(arguments.split(' '))
        .current_dir(dir)
        .env_clear()
        .env("AFTERRING_TEXT__DIR", "texts")
        .env("AFTERRING_CAMPAIGNS", "summer:1");
    command.output().unwrap()
}

#[test]
fn the_example_of_the_page_is_what_is_printed() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("texts/campaigns/summer")).unwrap();
    let summer = block("# campaigns/summer/en.toml\n");
    fs::write(dir.path().join("texts/campaigns/summer/en.toml"), summer).unwrap();
    let example = block("```console\n$ afterring ");
    let (arguments, shown) = example.split_once('\n').unwrap();
    let said = run(dir.path(), arguments);
    let printed = String::from_utf8(said.stdout).unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    // The page shows the first of them.
    assert_eq!(printed.split_once("\n\n").unwrap().0, shown.trim_end());
}
