//! What clipboards, terminals and chats do to text changes nothing.

use super::super::cases::measure::cases;
use super::texts::{Shown, text};
use super::{Said, from_text};
use podoctor::diagnosis::Catalogue;
use podoctor::{gather, question};

/// One case of each phase, of which every detail decides.
const CASES: [&str; 5] = [
    "live-oom-child",
    "live-sched-cpu",
    "live-configmap-env",
    "live-image-rate-limited",
    "live-liveness-listener-dies",
];

#[test]
fn what_a_clipboard_and_a_chat_do_to_text_changes_nothing() {
    for case in cases().into_iter().filter(|case| CASES.contains(&case.name.as_str())) {
        for shown in [Shown::All, Shown::Alone, Shown::Narrow] {
            let text = text(&case, shown).expect("the corpus");
            let plain: Said = from_text(&case, &text).expect("an answer");
            let quoted: String = text.lines().map(|line| format!("> {line}\n")).collect();
            let coloured: String = text.lines().map(|line| format!("\u{1b}[1m{line}\u{1b}[0m\n")).collect();
            for (how, text) in [
                ("windows", text.replace('\n', "\r\n")),
                ("fenced", format!("look at this\n```\n{text}\n```\nwhat is it?\n")),
                ("quoted", quoted),
                ("escaped", text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")),
                ("curled", text.replace(" \"", " \u{201c}").replace("\" ", "\u{201d} ")),
                ("coloured", coloured),
                ("hard blanks", text.replace("  ", "\u{a0} ")),
                ("prompted", text.replace("$ kubectl", "ann@laptop:~/shop (main) $ kubectl")),
                ("twice", format!("{text}\n{text}")),
            ] {
                assert_eq!(from_text(&case, &text).as_ref(), Ok(&plain), "{}, {shown:?}, {how}", case.name);
            }
        }
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_without_a_panic(text in "(?s).{0,400}", at in 0_usize..4_000, cut in 0_usize..4_000, flat: bool) {
        let now = "2026-11-23T18:47:20Z".parse().expect("a time");
        let whole = include_str!("../../pasted/describe/live-oom-child.txt");
        // Real text with a piece taken out and another put in.
        let lines: Vec<&str> = whole.lines().map(|line| if flat { line.trim() } else { line }).collect();
        let (at, cut) = (at % lines.len(), cut % 40);
        let end = (at + cut).min(lines.len());
        let broken = [&lines[..at], &[text.as_str()], &lines[end..]].concat().join("\n");
        for text in [&text, &broken] {
            if let Some(paste) = gather::pasted::read(text, now)
                && let Some(target) = &paste.target
            {
                let _ = question::answer(&paste.world, now, target, &Catalogue::default());
            }
        }
    }
}
