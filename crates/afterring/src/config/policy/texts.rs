//! What we write.

use model::Language;
use routing::text::Texts;

use crate::config::fault::Problems;
use crate::config::reader::Reader;

/// Longest wording of a price: a teaser should stay one message.
const LONGEST_PRICE: usize = 40;

pub(super) fn texts(reader: &mut Reader) -> Option<(Texts, Language)> {
    let shipped = Texts::shipped().map_err(|error| error.to_string());
    let fetch_price = reader.text("teaser.fetch_price", price);
    let subscribe_price = reader.text("teaser.subscribe_price", price);
    let spoken = reader.text("text.language", |text| {
        let texts = shipped?;
        match text.parse::<Language>() {
            Ok(language) if texts.speaks(&language) => Ok((texts, language)),
            _ => Err("there are no texts in this language".into()),
        }
    });
    let (mut texts, language) = spoken?;
    texts.fetch_price = fetch_price?;
    texts.subscribe_price = subscribe_price?;
    Some((texts, language))
}

fn price(text: &str) -> Result<String, Problems> {
    let fits = text.chars().count() <= LONGEST_PRICE && !text.chars().any(char::is_control);
    if fits { Ok(text.to_owned()) } else { Err("too long, or with control characters".into()) }
}
