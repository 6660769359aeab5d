//! Small tools for reading messages: none of them can panic on a text from outside.

/// Returns what stands between `before` and the next `after`.
pub fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(inner, _)| inner)
}

/// Returns true where one of the patterns occurs.
pub fn has_any(text: &str, patterns: &[&str]) -> bool {
    patterns.iter().any(|pattern| text.contains(pattern))
}

/// Returns true where one of the patterns, parted by `|`, occurs: for lists too long to be read as arrays.
pub fn says(text: &str, patterns: &str) -> bool {
    patterns.split('|').any(|pattern| text.contains(pattern))
}

/// Returns the text without the backslashes before quotes: old runc nests its errors (`caused \"exec: \\\"x\\\": …\"`).
pub fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut slashes = 0_usize;
    for c in text.chars() {
        match c {
            '\\' => slashes += 1,
            '"' => {
                slashes = 0;
                plain.push(c);
            }
            _ => {
                plain.extend(std::iter::repeat_n('\\', slashes));
                slashes = 0;
                plain.push(c);
            }
        }
    }
    plain.extend(std::iter::repeat_n('\\', slashes));
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_nested_quotes_apart() {
        assert_eq!(unescaped(r#"caused \"exec: \\\"x\\\": gone\" C:\dir\"#), r#"caused "exec: "x": gone" C:\dir\"#);
        assert_eq!(between(r#"exec: "x": gone"#, "exec: \"", "\""), Some("x"));
        assert_eq!(between("exec: \"x", "exec: \"", "\""), None);
    }
}
