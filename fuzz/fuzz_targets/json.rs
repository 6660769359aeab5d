//! Changes JSON as JSON: bytes changed blindly rarely stay an object that anything reads.

use serde_json::Value;

/// Values that stand where others are awaited.
const ODD: [&str; 14] = [
    "null", "true", "-1", "0", "9223372036854775807", "1e308", "\"\"", "[]", "{}", "\"0001-01-01T00:00:00Z\"",
    "\"9999-12-31T23:59:59Z\"", "\"-1e400\"", "\"<!channel> `x`\\n```\"", "\"\u{202e}é\u{0}💥\"",
];

/// Returns the JSON with a few of its values replaced, moved, doubled or dropped; `None` where it is no JSON.
pub fn mutated(data: &[u8], seed: u32, change: &mut dyn FnMut(&str) -> String) -> Option<Vec<u8>> {
    let mut value: Value = serde_json::from_slice(data).ok()?;
    // A linear congruential generator; libFuzzer's seed decides everything.
    let mut state = u64::from(seed).wrapping_mul(2).wrapping_add(1);
    let mut random = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below.max(1)
    };
    for _ in 0..=random(3) {
        let mut pointers = Vec::new();
        walk(&value, &mut String::new(), &mut pointers);
        let pick = pointers[random(pointers.len())].clone();
        let other = value.pointer(&pointers[random(pointers.len())])?.clone();
        let kind = random(6);
        let odd = serde_json::from_str(ODD[random(ODD.len())]).ok()?;
        let place = value.pointer_mut(&pick)?;
        match (kind, &mut *place) {
            (0, place) => *place = odd,
            (1, place) => *place = other,
            (2, Value::Object(fields)) if !fields.is_empty() => {
                let name = fields.keys().nth(random(fields.len())).cloned()?;
                fields.remove(&name);
            }
            (2, Value::Array(items)) if !items.is_empty() => drop(items.remove(random(items.len()))),
            (3, Value::Array(items)) if !items.is_empty() => items.push(items[random(items.len())].clone()),
            (_, Value::String(text)) => *text = change(text),
            (_, Value::Number(number)) => *place = Value::from(number.as_i64().unwrap_or(1).wrapping_mul(-3)),
            (_, place) => *place = odd,
        }
    }
    serde_json::to_vec(&value).ok()
}

fn walk(value: &Value, path: &mut String, out: &mut Vec<String>) {
    out.push(path.clone());
    let mut inner = |key: &str, value: &Value| {
        let length = path.len();
        path.push('/');
        path.push_str(&key.replace('~', "~0").replace('/', "~1"));
        walk(value, path, out);
        path.truncate(length);
    };
    match value {
        Value::Array(items) => items.iter().enumerate().for_each(|(index, item)| inner(&index.to_string(), item)),
        Value::Object(fields) => fields.iter().for_each(|(key, item)| inner(key, item)),
        _ => {}
    }
}
