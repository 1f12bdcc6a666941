//! Stories: what happens to people, and exactly which SMS each phone shows, in `stories/*.story`, played against the built gateway.

mod phones;
mod read;
mod stage;
mod text;

use std::fs;

use anyhow::{Context as _, Result};

use crate::make::asked_for;
use crate::{Make, paths};

use read::{Place, Story};

/// Plays a story, named without its ending, at every place that it names.
///
/// # Errors
/// With the place and the line at which something is otherwise than the story says.
pub fn play(name: &str) -> Result<()> {
    let path = paths::here("stories").join(format!("{name}.story"));
    let written = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let story = Story::read(&written).with_context(|| path.display().to_string())?;
    let asked = asked_for()?;
    for place in story.places.iter().copied().filter(|place| asked.is_none_or(|asked| is_asked(*place, asked))) {
        println!("{}: at {place:?}", story.title);
        stage::play(&story, place).with_context(|| format!("{name}, at {place:?}"))?;
    }
    Ok(())
}

/// Whether a place is played where only this foreign SMSC is asked for; the simulated one always is.
fn is_asked(place: Place, asked: Make) -> bool {
    match place {
        Place::Simulator => true,
        Place::Node => asked == Make::Node,
        Place::Twisted => asked == Make::Twisted,
    }
}
