//! How long a certificate is valid, as members write it: from when, and how many days.
//!
//! CCF's tools write the beginning as ASN.1 does (`YYMMDDHHMMSSZ`, `YYYYMMDDHHMMSSZ`) or as ISO 8601 does, with a `T` or a space
//! between, perhaps with a fraction of a second and an offset. Without an offset it is UTC.

use crypto::certificate::Validity;

const DAY: i64 = 86_400;
/// What any form takes at most, with room for a fraction.
const TEXT_BYTES_MAX: usize = 64;

/// From when to when, both ends included (RFC 5280): so a day less a second after a day.
pub fn period(valid_from: &str, days: u32) -> Result<Validity, String> {
    let wrong =
        || format!("{:?} is no time that a certificate can begin at", valid_from.get(..40).unwrap_or(valid_from));
    let from = seconds(valid_from).and_then(|from| u64::try_from(from).ok()).ok_or_else(wrong)?;
    let length =
        (u64::from(days) * DAY.unsigned_abs()).checked_sub(1).ok_or("a certificate is valid for a day at least")?;
    Ok(Validity { from, until: from + length })
}

/// Seconds since 1970.
fn seconds(text: &str) -> Option<i64> {
    if text.len() > TEXT_BYTES_MAX || !text.is_ascii() {
        return None;
    }
    match text.strip_suffix('Z').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit())) {
        Some(digits) if digits.len() == 14 => {
            let (date, time) = digits.split_at(8);
            asn1(number(date.get(..4)?)?, date.get(4..)?, time)
        }
        Some(digits) if digits.len() == 12 => {
            let (date, time) = digits.split_at(6);
            let year = number(date.get(..2)?)?;
            // As RFC 5280 reads two digits.
            asn1(if year < 50 { 2_000 + year } else { 1_900 + year }, date.get(2..)?, time)
        }
        Some(_) => None,
        None => iso(text),
    }
}

fn asn1(year: i64, month_and_day: &str, time: &str) -> Option<i64> {
    let part = |text: &str, place: usize| number(text.get(place..place + 2)?);
    let clock = [part(time, 0)?, part(time, 2)?, part(time, 4)?];
    at(year, part(month_and_day, 0)?, part(month_and_day, 2)?, clock)
}

fn iso(text: &str) -> Option<i64> {
    let (date, rest) = (text.get(..10)?, text.get(10..)?);
    let rest = rest.strip_prefix(['T', ' '])?;
    let (clock, rest) = (rest.get(..8)?, rest.get(8..)?);
    let date: Vec<&str> = date.split('-').collect();
    let clock: Vec<&str> = clock.split(':').collect();
    let ([year, month, day], [hour, minute, second]) = (&date[..], &clock[..]) else { return None };
    let clock = [two(hour)?, two(minute)?, two(second)?];
    let local =
        at(Some(year).filter(|year| year.len() == 4).and_then(|year| number(year))?, two(month)?, two(day)?, clock)?;
    let rest = match rest.strip_prefix('.') {
        Some(fraction) => {
            let offset = fraction.trim_start_matches(|letter: char| letter.is_ascii_digit());
            if offset.len() == fraction.len() {
                return None;
            }
            offset
        }
        None => rest,
    };
    Some(local - offset(rest)?)
}

/// Seconds that local time is ahead of UTC.
fn offset(text: &str) -> Option<i64> {
    let (sign, rest) = match text.as_bytes() {
        [] | [b'Z'] => return Some(0),
        [b'+', ..] => (1, text.get(1..)?),
        [b'-', ..] => (-1, text.get(1..)?),
        _ => return None,
    };
    let digits = rest.replacen(':', "", 1);
    let (hours, minutes) = (two(digits.get(..2)?)?, two(digits.get(2..)?)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60))
}

fn two(text: &str) -> Option<i64> {
    if text.len() == 2 { number(text) } else { None }
}

fn number(text: &str) -> Option<i64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

fn at(year: i64, month: i64, day: i64, [hour, minute, second]: [i64; 3]) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=days).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Years that begin in March end with the leap day.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let of_years = year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let day = of_years + (month * 153 + 2) / 5 + day - 1 - 719_468;
    Some(day * DAY + hour * 3_600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn from(text: &str) -> Option<u64> {
        period(text, 1).ok().map(|validity| validity.from)
    }

    #[test]
    fn a_time_is_the_same_in_every_form() {
        for text in [
            "220131210003Z",
            "20220131210003Z",
            "2022-01-31 21:00:03",
            "2022-01-31T21:00:03",
            "2022-01-31T21:00:03Z",
            "2022-01-31T21:00:03.123456",
            "2022-01-31T21:00:03.123456+00:00",
            "2022-01-31T22:30:03+01:30",
            "2022-01-31T13:00:03-0800",
        ] {
            assert_eq!(from(text), Some(1_643_662_803), "{text}");
        }
        assert_eq!(from("700101000000Z"), Some(0));
        assert_eq!(from("20240229000000Z"), Some(1_709_164_800));
        assert_eq!(from("20000301000000Z"), Some(951_868_800));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "Z",
            "now",
            "2201312100Z",
            "221331210003Z",
            "220132210003Z",
            "20230229000000Z",
            "220131240003Z",
            "2022-1-31 21:00:03",
            "2022-01-31",
            "2022-01-31T21:00",
            "2022-01-31T21:00:03.",
            "2022-01-31T21:00:03+1",
            "2022-01-31T21:00:03+25:00",
            "2022-01-31T21:00:03 UTC",
            "1969-12-31T23:59:59",
            "２022-01-31 21:00:03",
        ] {
            assert_eq!(from(text), None, "{text:?}");
        }
        assert!(period("220131210003Z", 0).is_err());
    }

    #[test]
    fn both_ends_are_days_apart_less_the_last_second() {
        assert_eq!(period("700101000000Z", 365), Ok(Validity { from: 0, until: 365 * 86_400 - 1 }));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".*", days: u32) {
            let _ = period(&text, days);
        }

        #[test]
        fn digits_too(text in "[0-9]{1,4}-?[0-9]{2}-?[0-9]{2}[T ]?[0-9]{2}:?[0-9]{2}:?[0-9]{2}(\\.[0-9]*)?[Z+-]?[0-9:]{0,6}") {
            let _ = period(&text, 1);
        }
    }
}
