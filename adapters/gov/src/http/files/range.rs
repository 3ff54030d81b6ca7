//! Which part of a file a request wants: RFC 9110, one range of bytes. What cannot be read is not followed, and the
//! whole is given.

use axum::http::{HeaderMap, HeaderName, header};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wanted {
    /// What the client has is what there is.
    Nothing,
    /// Only what lies behind the end.
    Beyond,
    /// From a byte on, until before another one.
    Part { from: u64, until: u64, whole: bool },
}

/// `tag` names the file as it is, `bytes` is its length.
pub fn wanted(headers: &HeaderMap, tag: &str, bytes: u64) -> Wanted {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let is_it = |listed: &str| listed.split(',').map(str::trim).any(|listed| listed == tag || listed == "*");
    if text(header::IF_NONE_MATCH).is_some_and(is_it) {
        return Wanted::Nothing;
    }
    let whole = Wanted::Part { from: 0, until: bytes, whole: true };
    // A part of what it was is of no use beside a part of what it is.
    if text(header::IF_RANGE).is_some_and(|had| had != tag) {
        return whole;
    }
    match text(header::RANGE).and_then(|range| part(range, bytes)) {
        None => whole,
        Some((from, until)) if from >= until => Wanted::Beyond,
        Some((from, until)) => Wanted::Part { from, until, whole: false },
    }
}

fn part(range: &str, bytes: u64) -> Option<(u64, u64)> {
    let (first, last) = range.strip_prefix("bytes=")?.trim().split_once('-')?;
    let number = |text: &str| text.bytes().all(|digit| digit.is_ascii_digit()).then(|| text.parse().ok())?;
    match (first, last) {
        ("", "") => None,
        ("", last) => Some((bytes.saturating_sub(number(last)?), bytes)),
        (first, "") => Some((number(first)?, bytes)),
        (first, last) => {
            let (first, last): (u64, u64) = (number(first)?, number(last)?);
            (first <= last).then(|| (first, last.saturating_add(1).min(bytes)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: &str = "\"sha-256:00\"";

    fn asked(headers: &[(HeaderName, &str)]) -> Wanted {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        wanted(&headers, TAG, 100)
    }

    #[test]
    fn a_range_is_a_part_or_nothing_or_not_followed() {
        let part = |from, until| Wanted::Part { from, until, whole: false };
        let whole = Wanted::Part { from: 0, until: 100, whole: true };
        for (range, expected) in [
            ("bytes=0-0", part(0, 1)),
            ("bytes=10-19", part(10, 20)),
            ("bytes=10-", part(10, 100)),
            ("bytes=90-1000", part(90, 100)),
            ("bytes=-5", part(95, 100)),
            ("bytes=-500", part(0, 100)),
            ("bytes=0-18446744073709551615", part(0, 100)),
            ("bytes=100-", Wanted::Beyond),
            ("bytes=-0", Wanted::Beyond),
            ("bytes=18446744073709551615-", Wanted::Beyond),
            ("bytes=20-10", whole),
            ("bytes=-", whole),
            ("bytes=0-1,5-6", whole),
            ("bytes=+1-2", whole),
            ("bytes=1", whole),
            ("entries=1-2", whole),
            ("bytes=99999999999999999999-", whole),
        ] {
            assert_eq!(asked(&[(header::RANGE, range)]), expected, "{range}");
        }
        assert_eq!(asked(&[]), whole);
        assert_eq!(wanted(&HeaderMap::new(), TAG, 0), Wanted::Part { from: 0, until: 0, whole: true });
    }

    #[test]
    fn what_a_client_has_counts_if_it_is_what_there_is() {
        let part = Wanted::Part { from: 10, until: 100, whole: false };
        let whole = Wanted::Part { from: 0, until: 100, whole: true };
        let range = (header::RANGE, "bytes=10-");
        assert_eq!(asked(&[range.clone(), (header::IF_RANGE, TAG)]), part);
        assert_eq!(asked(&[range.clone(), (header::IF_RANGE, "\"other\"")]), whole);
        assert_eq!(asked(&[range.clone(), (header::IF_NONE_MATCH, TAG)]), Wanted::Nothing);
        assert_eq!(asked(&[range.clone(), (header::IF_NONE_MATCH, "\"a\", \"sha-256:00\"")]), Wanted::Nothing);
        assert_eq!(asked(&[(header::IF_NONE_MATCH, "*")]), Wanted::Nothing);
        assert_eq!(asked(&[range, (header::IF_NONE_MATCH, "\"other\"")]), part);
    }
}
