//! Ages and moments as kubectl prints them.

use jiff::{SignedDuration, Timestamp};

/// Reads an age: `45s`, `5m12s`, `3h20m`, `2d3h`, `1y34d`. `<unknown>` and what is no age are `None`.
///
/// kubectl prints at most two units and cuts the rest off, so an age is never longer than the true one.
pub fn age(text: &str) -> Option<SignedDuration> {
    let text = text.trim();
    if text == "<invalid>" {
        // kubectl's word for a moment that lies in the future by its own clock: it is about now.
        return Some(SignedDuration::ZERO);
    }
    let (mut seconds, mut number, mut units) = (0_i64, None::<i64>, 0);
    for sign in text.chars() {
        if let Some(digit) = sign.to_digit(10) {
            number = Some(number.unwrap_or(0).checked_mul(10)?.checked_add(i64::from(digit))?);
            continue;
        }
        let unit = match sign {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 7 * 86_400,
            'y' => 365 * 86_400,
            _ => return None,
        };
        seconds = seconds.checked_add(number.take()?.checked_mul(unit)?)?;
        units += 1;
    }
    // A hundred years is no age of anything in a cluster.
    (units > 0 && number.is_none() && seconds < 100 * 365 * 86_400).then(|| SignedDuration::from_secs(seconds))
}

/// Returns the moment that was so long ago.
pub fn ago(now: Timestamp, text: &str) -> Option<Timestamp> {
    now.checked_sub(age(text)?).ok()
}

/// Reads a moment as describe prints it: `Mon, 23 Nov 2026 18:47:16 +0000`, or RFC 3339. The year 1 is no moment.
pub fn moment(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let found = jiff::fmt::rfc2822::parse(text).map(|zoned| zoned.timestamp()).ok().or_else(|| text.parse().ok())?;
    (found.as_second() >= 0).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_as_kubectl_prints_them() {
        let seconds = |text: &str| age(text).map(|age| age.as_secs());
        assert_eq!(seconds("45s"), Some(45));
        assert_eq!(seconds("5m12s"), Some(312));
        assert_eq!(seconds("2d3h"), Some(183_600));
        assert_eq!(seconds("1y34d"), Some(399 * 86_400));
        assert_eq!(seconds("<invalid>"), Some(0));
        for none in ["<unknown>", "", "5", "m", "5x", "99999999999999999999d", "999999y"] {
            assert_eq!(seconds(none), None, "{none}");
        }
    }

    #[test]
    fn moments_carry_their_zone() {
        assert_eq!(moment("Mon, 23 Nov 2026 18:47:16 +0800").unwrap().to_string(), "2026-11-23T10:47:16Z");
        assert_eq!(moment("Mon, 01 Jan 0001 00:00:00 +0000"), None);
    }
}
