//! Placeholders of the recorded data: times relative to the start, and a pod's own name, uid and address.

use crate::playground::cluster::time;
use jiff::Timestamp;
use serde_json::Value;
use std::time::Duration;

/// The fields of type `MicroTime`; all other times are whole seconds.
const MICRO: &[&str] = &["renewTime", "acquireTime", "eventTime", "lastObservedTime"];

/// Replaces every time in a document. Gives back the text that looks like a time and is none.
pub fn times(document: Value, start: Timestamp) -> Result<Value, String> {
    replace(document, "", &|text, field| {
        if let Some(offset) = text.strip_prefix('T').filter(|offset| offset.starts_with(['+', '-'])) {
            let moment = relative(start, offset).ok_or_else(|| text.to_owned())?;
            return Ok(if MICRO.contains(&field) { time::micros(moment) } else { time::seconds(moment) });
        }
        let (mut done, mut rest) = (String::new(), text);
        while let Some((before, after)) = rest.split_once("{T") {
            let (offset, tail) = after.split_once('}').ok_or_else(|| text.to_owned())?;
            let moment = relative(start, offset).ok_or_else(|| text.to_owned())?;
            done.push_str(before);
            done.push_str(time::seconds(moment).as_str().unwrap_or_default());
            rest = tail;
        }
        done.push_str(rest);
        Ok(done.into())
    })
}

/// Replaces `{name}`, `{uid}` and `{ip}`.
pub fn own(document: Value, name: &str, uid: &str, ip: &str) -> Value {
    let fill = |text: &str| text.replace("{name}", name).replace("{uid}", uid).replace("{ip}", ip);
    replace(document, "", &|text, _| Ok(fill(text).into())).expect("replacing text by text does not fail")
}

fn replace(value: Value, field: &str, text: &dyn Fn(&str, &str) -> Result<Value, String>) -> Result<Value, String> {
    Ok(match value {
        Value::String(old) => text(&old, field)?,
        Value::Array(items) => {
            Value::Array(items.into_iter().map(|item| replace(item, field, text)).collect::<Result<_, _>>()?)
        }
        Value::Object(fields) => {
            let replaced = fields.into_iter().map(|(key, value)| {
                let value = replace(value, &key, text)?;
                Ok((key, value))
            });
            Value::Object(replaced.collect::<Result<_, String>>()?)
        }
        other => other,
    })
}

fn relative(start: Timestamp, offset: &str) -> Option<Timestamp> {
    let by = duration(&offset[1..])?;
    match offset.as_bytes().first()? {
        b'+' => Some(time::later(start, by)),
        b'-' => start.checked_sub(by).ok(),
        _ => None,
    }
}

/// Reads `90s`, `1h30m`, `12d`.
pub fn duration(text: &str) -> Option<Duration> {
    let (mut total, mut number) = (0_u64, String::new());
    for c in text.chars() {
        if c.is_ascii_digit() {
            number.push(c);
            continue;
        }
        let unit = match c {
            'd' => 86_400,
            'h' => 3_600,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        total += number.parse::<u64>().ok()? * unit;
        number.clear();
    }
    (number.is_empty() && !text.is_empty()).then(|| Duration::from_secs(total))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn times_stand_alone_or_in_a_text() {
        let start: Timestamp = "2026-11-24T10:00:00Z".parse().unwrap();
        let document = json!({"at": "T-1h30m", "renewTime": "T+5s", "log": "{T-10s} up\nT-shirt {T-1s}", "T": ["Tax"]});
        let replaced = times(document, start).unwrap();
        assert_eq!(
            replaced,
            json!({"at": "2026-11-24T08:30:00Z", "renewTime": "2026-11-24T10:00:05.000000Z",
                "log": "2026-11-24T09:59:50Z up\nT-shirt 2026-11-24T09:59:59Z", "T": ["Tax"]})
        );
        assert_eq!(times(json!("T-5x"), start), Err("T-5x".into()));
    }

    #[test]
    fn durations() {
        assert_eq!(duration("1d2h3m4s"), Some(Duration::from_secs(93_784)));
        for wrong in ["", "5", "m", "5w"] {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
    }
}
