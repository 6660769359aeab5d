//! Kubernetes quantities (`100m`, `1.5Gi`, `2e3`) as numbers, and back in words.
//!
//! Grammar: kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// Returns the value in base units (cores, bytes, pieces); `None` for text that is no quantity.
pub fn value(quantity: &Quantity) -> Option<f64> {
    parse(&quantity.0)
}

/// Returns the value of a quantity written as text, in base units.
pub fn parse(text: &str) -> Option<f64> {
    let text = text.trim();
    let split = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '+' | '-'))).unwrap_or(text.len());
    let (number, suffix) = text.split_at(split);
    let factor = match suffix {
        "" => 1.0,
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 1024.0,
        "Mi" => 1024.0_f64.powi(2),
        "Gi" => 1024.0_f64.powi(3),
        "Ti" => 1024.0_f64.powi(4),
        "Pi" => 1024.0_f64.powi(5),
        "Ei" => 1024.0_f64.powi(6),
        // `2e3`, `2E-3`: a decimal exponent
        exponent if exponent.starts_with(['e', 'E']) => 10.0_f64.powi(exponent[1..].parse().ok()?),
        _ => return None,
    };
    number.parse::<f64>().ok().map(|n| n * factor).filter(|n| n.is_finite())
}

/// Returns bytes as people write them: `256Mi`, `1.2Gi`.
pub fn bytes(value: f64) -> String {
    const UNITS: [(&str, f64); 4] = [
        ("Ti", 1024.0 * 1024.0 * 1024.0 * 1024.0),
        ("Gi", 1024.0 * 1024.0 * 1024.0),
        ("Mi", 1024.0 * 1024.0),
        ("Ki", 1024.0),
    ];
    for (unit, size) in UNITS {
        if value.abs() >= size {
            return format!("{}{unit}", trimmed(value / size));
        }
    }
    trimmed(value)
}

/// Returns cores as people write them: `250m`, `1.5`.
pub fn cores(value: f64) -> String {
    if value.abs() < 1.0 && value != 0.0 { format!("{}m", (value * 1000.0).round()) } else { trimmed(value) }
}

/// Returns an amount of the named resource in its usual unit.
pub fn amount(resource: &str, value: f64) -> String {
    match resource {
        "cpu" => cores(value),
        "memory" | "ephemeral-storage" => bytes(value),
        name if name.starts_with("hugepages-") => bytes(value),
        _ => trimmed(value),
    }
}

fn trimmed(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_form() {
        for (text, expected) in [
            ("100m", 0.1),
            ("1.5Gi", 1.5 * 1024.0 * 1024.0 * 1024.0),
            ("2e3", 2000.0),
            ("1E", 1e18),
            ("128M", 128e6),
            ("64", 64.0),
            ("3500m", 3.5),
        ] {
            assert_eq!(parse(text), Some(expected), "{text}");
        }
        for text in ["", "Mi", "1x", "1 Gi", "NaN", "1e999", "0e999", "-1e400"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn writes_as_people_do() {
        assert_eq!(bytes(268_435_456.0), "256Mi");
        assert_eq!(bytes(1_288_490_188.8), "1.2Gi");
        assert_eq!(bytes(3.5), "3.5");
        assert_eq!(cores(0.25), "250m");
        assert_eq!(amount("nvidia.com/gpu", 2.0), "2");
    }
}
