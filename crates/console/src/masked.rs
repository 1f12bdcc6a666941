//! Texts that may hold numbers of people, for who may not see them.

/// Digits from which on a run of them is taken for a number of a person.
const NUMBER: usize = 7;

/// A text in which every number is hidden but for its first and last two digits: digits in a row, also where people part them by a blank, a hyphen, a
/// dot or a bracket, unless they are a number already.
#[must_use]
pub fn masked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut run, mut in_a_row) = (String::new(), 0);
    for letter in text.chars() {
        let digit = letter.is_numeric();
        let parts = matches!(letter, ' ' | '-' | '.' | '(' | ')' | '\u{a0}') && (1..NUMBER).contains(&in_a_row);
        in_a_row = if digit { in_a_row + 1 } else { 0 };
        if digit || parts {
            run.push(letter);
        } else {
            hide(&mut out, &mut run);
            out.push(letter);
        }
    }
    hide(&mut out, &mut run);
    out
}

/// Moves a run of digits on, hidden where it is a number.
fn hide(out: &mut String, run: &mut String) {
    let digits = run.chars().filter(|letter| letter.is_numeric()).count();
    let mut place = 0;
    for letter in run.drain(..) {
        if !letter.is_numeric() {
            out.push(letter);
            continue;
        }
        place += 1;
        let shown = digits < NUMBER || place <= 2 || place + 2 > digits;
        out.push(if shown { letter } else { '*' });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_hidden_and_times_are_not() {
        for (text, shown) in [
            ("", ""),
            ("+8613800000001 called at 10:02", "+86*********01 called at 10:02"),
            ("1 missed call:\n+86 13800000001 29 Nov 21:34", "1 missed call:\n+86 *********01 29 Nov 21:34"),
            ("COPY 138 0000-0001!", "COPY 13* ****-**01!"),
            ("２次：138００００００01", "２次：13*******01"),
            ("11-12 10:02, 3 calls, 12599", "11-12 10:02, 3 calls, 12599"),
        ] {
            assert_eq!(masked(text), shown, "{text}");
        }
    }
}
