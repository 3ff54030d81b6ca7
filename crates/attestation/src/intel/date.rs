//! Dates in Intel's documents: `2025-06-19T10:32:27Z`, always in this form.

use crate::{Code, Refusal};

/// Seconds since 1970.
pub(super) fn seconds(text: &str) -> Result<u64, Refusal> {
    parse(text).ok_or_else(|| Refusal::new(Code::BadEncoding, format!("{text:?} is not a date")))
}

fn parse(text: &str) -> Option<u64> {
    let bytes: &[u8; 20] = text.as_bytes().try_into().ok()?;
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'Z')];
    if separators.iter().any(|(at, separator)| bytes[*at] != *separator) {
        return None;
    }
    let year = number(&bytes[0..4])?;
    let (month, day) = (number(&bytes[5..7])?, number(&bytes[8..10])?);
    let (hour, minute, second) = (number(&bytes[11..13])?, number(&bytes[14..16])?, number(&bytes[17..19])?);
    let real = (1..=days_in(year, month)?).contains(&day) && hour < 24 && minute < 60 && second < 60;
    (year >= 1970 && real).then_some(())?;
    let years: u64 = (1970..year).map(|year| if leap(year) { 366 } else { 365 }).sum();
    let months: u64 = (1..month).filter_map(|month| days_in(year, month)).sum();
    Some((((years + months + day - 1) * 24 + hour) * 60 + minute) * 60 + second)
}

fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u64::from(digit - b'0')))
}

fn leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_in(year: u64, month: u64) -> Option<u64> {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        4 | 6 | 9 | 11 => Some(30),
        2 => Some(if leap(year) { 29 } else { 28 }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_in_one_form_only() {
        assert_eq!(parse("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(parse("2025-06-19T10:32:27Z"), Some(1_750_329_147));
        assert_eq!(parse("2024-02-29T23:59:59Z"), Some(1_709_251_199));
        for bad in ["2025-02-29T00:00:00Z", "2025-06-19T10:32:27", "2025-06-19T10:32:27+00:00", "2025-13-01T00:00:00Z"]
        {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
