//! Help: the keywords that are switched on, as far as they fit.

use model::split;

use super::catalogue::{CATALOGUE, Role};
use super::wording::Voice;
use super::{Text, Texts};
use crate::Keywords;
use model::Kind;

impl Texts {
    /// What help says; of what is switched off, nothing.
    pub(super) fn help(&self, voice: Voice<'_>, keywords: &Keywords) -> String {
        let mut items = Vec::new();
        for entry in CATALOGUE.iter().filter(|entry| entry.role == Role::Piece(Kind::Notice)) {
            let asks = entry
                .only_with
                .is_some_and(|action| !keywords.shown(action).is_empty() && !self.unmentioned.contains(&action));
            let item = self.fill(voice, voice.template(entry.text), keywords, &[]);
            if asks && !item.is_empty() {
                items.push(item);
            }
        }
        let between = voice.template(Text::HelpBetween).render(&[]);
        loop {
            let text = voice.template(Text::Help).render(&[("keywords", &items.join(&between))]);
            if items.len() <= 1 || split(&text).parts.len() <= self.help_parts {
                return text;
            }
            items.pop();
        }
    }
}
