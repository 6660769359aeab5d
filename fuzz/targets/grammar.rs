//! Whatever a person types: a target is refused in words or comes back the same from its own text.

use podoctor::chat::command;
use podoctor::target;

/// Parses the text as every kind of request.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match target::parse(text) {
        Ok(parsed) => {
            let written = parsed.to_string();
            assert!(!written.contains(['<', '>', '&', '`', '\n']), "a target that is live in a chat: {written:?}");
            assert!(written.chars().count() <= target::MAX_LENGTH + 32, "long: {written}");
            assert_eq!(target::parse(&written).as_ref(), Ok(&parsed), "written as {written}");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    if let Some(found) = target::find_in(text) {
        let written = found.to_string();
        assert_eq!(target::parse(&written), Ok(found), "written as {written}");
    }
    command::parse(text);
    command::parse_mention(text);
}
