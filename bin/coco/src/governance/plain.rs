//! Texts of others, made fit to be shown: nothing in them moves the cursor, changes a colour or turns the reading direction.

/// How much of an identifier is enough for a person.
const SHORT: usize = 12;

/// One line.
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if is_plain(c) { c.to_string() } else { c.escape_unicode().to_string() }).collect()
}

/// Lines, and tabs in them.
pub fn plain_lines(text: &str) -> String {
    let keep = |c: char| is_plain(c) || matches!(c, '\n' | '\t');
    text.chars().map(|c| if keep(c) { c.to_string() } else { c.escape_unicode().to_string() }).collect()
}

/// The beginning of an identifier.
pub fn short(id: &str) -> String {
    plain(&id.chars().take(SHORT).collect::<String>())
}

fn is_plain(c: char) -> bool {
    let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}');
    !c.is_control() && !turns && !matches!(c, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_spelt_out() {
        assert_eq!(plain("a\x1b[2Jb\u{202e}\nc\u{9b}é"), r"a\u{1b}[2Jb\u{202e}\u{a}c\u{9b}é");
        assert_eq!(plain_lines("a\n\tb\r"), "a\n\tb\\u{d}");
        assert_eq!(short(&"0123456789abcdef".repeat(4)), "0123456789ab");
    }
}
