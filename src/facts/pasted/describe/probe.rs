//! A probe as describe prints it: `http-get http://:8080/healthz delay=0s timeout=1s period=10s #success=1 #failure=3`.

use serde_json::{Map, Value, json};

/// Reads a probe; `None` where it is none.
pub fn read(text: &str) -> Option<Value> {
    let at = text.find(" delay=")?;
    let (what, settings) = (&text[..at], &text[at..]);
    let mut probe = Map::new();
    for setting in settings.split_whitespace() {
        let Some((name, value)) = setting.split_once('=') else { continue };
        let key = match name {
            "delay" => "initialDelaySeconds",
            "timeout" => "timeoutSeconds",
            "period" => "periodSeconds",
            "#success" => "successThreshold",
            "#failure" => "failureThreshold",
            _ => continue,
        };
        if let Ok(number) = value.trim_end_matches('s').parse::<i32>() {
            probe.insert(key.to_owned(), number.into());
        }
    }
    let (kind, how) = what.split_once(' ').unwrap_or((what, ""));
    match kind {
        "exec" => {
            let words: Vec<&str> = how.trim_matches(['[', ']']).split_whitespace().collect();
            probe.insert("exec".into(), json!({"command": words}));
        }
        "http-get" => {
            probe.insert("httpGet".into(), http(how)?);
        }
        "tcp-socket" => {
            let (host, number) = how.rsplit_once(':')?;
            probe.insert("tcpSocket".into(), with_host(json!({"port": port(number)}), host));
        }
        "grpc" => {
            let number: u16 = how.strip_prefix("<pod>:")?.split_whitespace().next()?.parse().ok()?;
            probe.insert("grpc".into(), json!({"port": number}));
        }
        _ => return None,
    }
    Some(Value::Object(probe))
}

fn http(url: &str) -> Option<Value> {
    let (scheme, rest) = url.split_once("://")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (host, number) = authority.rsplit_once(':').unwrap_or((authority, ""));
    let of = json!({"scheme": scheme.to_uppercase(), "path": path, "port": port(number)});
    Some(with_host(of, host))
}

fn with_host(mut of: Value, host: &str) -> Value {
    if !host.is_empty() {
        of["host"] = Value::from(host.trim_matches(['[', ']']));
    }
    of
}

/// A port by its number or its name.
fn port(text: &str) -> Value {
    text.parse::<u16>().map_or_else(|_| Value::from(text), Value::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_probe() {
        let tail = "delay=5s timeout=1s period=10s #success=1 #failure=3";
        let probe = read(&format!("http-get https://:http/health {tail}")).unwrap();
        assert_eq!(probe["httpGet"], json!({"scheme": "HTTPS", "path": "/health", "port": "http"}));
        assert_eq!((&probe["initialDelaySeconds"], &probe["failureThreshold"]), (&json!(5), &json!(3)));
        assert_eq!(read(&format!("tcp-socket :5432 {tail}")).unwrap()["tcpSocket"], json!({"port": 5432}));
        assert_eq!(read(&format!("exec [sh -c true] {tail}")).unwrap()["exec"]["command"], json!(["sh", "-c", "true"]));
        assert_eq!(read(&format!("grpc <pod>:9090  {tail}")).unwrap()["grpc"]["port"], 9090);
        assert_eq!(read("nonsense"), None);
    }
}
