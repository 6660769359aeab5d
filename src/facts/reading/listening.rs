//! Where a program says that it listens, and whether it is still on its way there.
//!
//! Frameworks word it alike: "Listening on …", "Started … on port(s): 8080", "Uvicorn running on http://127.0.0.1:8000",
//! "Now listening on: http://localhost:5000", "Serving HTTP on 0.0.0.0 port 8000".

use super::app_log;
use super::text::says;
use crate::facts::log::{LogLine, lines_from_end};

/// A line that names the port a program listens on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listens<'a> {
    pub line: LogLine<'a>,
    pub port: Option<u16>,
    /// Only to itself: `127.0.0.1`, `localhost`, `::1`.
    pub loopback: bool,
}

/// Returns the lines that say where the program listens, the newest first.
pub fn listens<'a>(container: &'a str, log: &'a str) -> Vec<Listens<'a>> {
    lines_from_end(container, log)
        .filter(|line| says_listening(line.text))
        .map(|line| Listens { line, port: port(line.text), loopback: names_loopback(line.text) })
        .collect()
}

/// Returns true where the log ends in the middle of starting: nothing says that the program is up, nothing complains.
pub fn is_still_starting(log: &str) -> bool {
    let mut lines = lines_from_end("", log);
    let Some(last) = lines.next() else { return false };
    let up = lines_from_end("", log).take(40).any(|line| says_listening(line.text) || says_started(line.text));
    !up && app_log::complaint(last.text).is_none()
        && lines_from_end("", log).take(8).any(|line| says_starting(line.text))
}

/// Returns true where the log says that the program came up.
pub fn is_up(log: &str) -> bool {
    lines_from_end("", log).any(|line| says_listening(line.text) || says_started(line.text))
}

fn says_listening(line: &str) -> bool {
    let lower = line.to_ascii_lowercase();
    says(
        &lower,
        "listening|running on http|running at http|serving http on|started on port|server started on|\
             serving on|listen on|accepting connections on|bound to |started serverconnector|\
             ready to accept connections",
    ) && !says(&lower, "not listening|stopped listening|failed to|error|listener thread died|stop listening|no longer")
}

fn says_started(line: &str) -> bool {
    let lower = line.to_ascii_lowercase();
    (lower.contains("started ") && lower.contains(" in ") && lower.contains("second"))
        || says(
            &lower,
            "startup complete|server started|application started|is ready|ready to serve|start worker process",
        )
}

fn says_starting(line: &str) -> bool {
    let lower = line.to_ascii_lowercase();
    says(
        &lower,
        "booting|starting|initializ|initialis|loading|warming|warm up|warmup|migrat|preparing|compiling|\
             building|bootstrapp|waiting for|connecting|indexing|restoring|replaying|recover|importing|\
             installing|downloading|启动中|正在启动|加载|初始化|预热",
    ) || (lower.contains("step ") && lower.contains(" of "))
        || (lower.contains('%') && lower.chars().any(|c| c.is_ascii_digit()))
        || lower.contains("  .   ____          _")
}

/// Returns true where a text (a log line, a command) binds to the loopback address only.
pub fn names_loopback(text: &str) -> bool {
    says(text, "127.0.0.1|localhost|[::1]| ::1 ")
}

/// Returns the port that a command's flags give to the health endpoint, and the flag (controller-runtime's
/// `--health-probe-bind-address=:8081`, `--healthz-port 10248` and their like).
pub fn health_port<'a>(words: &[&'a str]) -> Option<(u16, &'a str)> {
    words.iter().enumerate().find_map(|(index, word)| {
        let (flag, value) = match word.split_once('=') {
            Some((flag, value)) => (flag, value),
            None => (*word, *words.get(index + 1)?),
        };
        let lower = flag.to_ascii_lowercase();
        let about = flag.starts_with('-') && says(&lower, "health|probe") && says(&lower, "addr|port|bind|listen");
        let digits = value.rsplit(':').next()?.trim_matches(['"', '\'']);
        // 0 switches the endpoint off.
        about.then(|| digits.parse().ok().filter(|port| *port != 0)).flatten().map(|port| (port, *word))
    })
}

fn port(line: &str) -> Option<u16> {
    let lower = line.to_ascii_lowercase();
    let number = |text: &str| {
        text.trim_start_matches([':', ' ', '(', '[', 's', ')', '=', '"', '#'])
            .split(|c: char| !c.is_ascii_digit())
            .next()
            .and_then(|n| n.parse::<u16>().ok())
            .filter(|&n| n > 0)
    };
    if let Some((_, rest)) = lower.split_once("port")
        && let Some(port) = number(rest)
    {
        return Some(port);
    }
    // `0.0.0.0:8080`, `http://localhost:5000`, `:3000`, `[::]:80`
    lower.rmatch_indices(':').find_map(|(at, _)| {
        let before = lower.get(..at)?.chars().next_back();
        let plausible = before.is_none_or(|c| c.is_ascii_alphanumeric() || matches!(c, ']' | '*' | ' ' | '.' | ':'));
        let rest = lower.get(at + 1..)?;
        let digits = rest.chars().take_while(char::is_ascii_digit).count();
        // A time of day (12:30:05) has two digits and goes on with a colon or a dot.
        (plausible && (2..=5).contains(&digits) && !(digits == 2 && is_time(&lower, at)))
            .then(|| number(rest))
            .flatten()
    })
}

fn is_time(text: &str, colon: usize) -> bool {
    let before: String = text.get(..colon).unwrap_or_default().chars().rev().take(2).collect();
    before.len() == 2 && before.chars().all(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_where_it_listens() {
        for (line, port, loopback) in [
            ("Listening on 127.0.0.1:8080", Some(8080), true),
            ("2026-01-02 12:30:05 INFO server listening on port 3000", Some(3000), false),
            ("INFO: Uvicorn running on http://127.0.0.1:8000 (Press CTRL+C to quit)", Some(8000), true),
            ("Serving HTTP on 0.0.0.0 port 8000 (http://0.0.0.0:8000/) ...", Some(8000), false),
            ("listening", None, false),
        ] {
            let found = &listens("app", line)[0];
            assert_eq!((found.port, found.loopback), (port, loopback), "{line}");
        }
        assert!(listens("app", "error: failed to start listening on :80").is_empty());
    }

    #[test]
    fn tells_starting_from_started() {
        assert!(is_still_starting("booting, step 1 of 8\nbooting, step 2 of 8\n"));
        assert!(!is_still_starting("booting\nlistening on :80\n"));
        assert!(!is_still_starting("starting\ndial tcp 10.0.0.1:5432: connect: connection refused\n"));
        assert!(!is_still_starting(""));
        assert!(is_up("Started Application in 42.1 seconds (process running for 43)"));
    }

    #[test]
    fn reads_the_flag_of_the_health_endpoint() {
        for (words, port) in [
            (&["/manager", "--health-probe-bind-address=:9090"][..], Some(9090)),
            (&["kubelet", "--healthz-port", "10248"], Some(10248)),
            (&["--health-probe-bind-address=0"], None),
            (&["--metrics-bind-address=:8080", "--health-check-interval=30"], None),
        ] {
            assert_eq!(health_port(words).map(|(port, _)| port), port, "{words:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn survives_any_text(text in "(?s).{0,200}") {
            let _ = listens("app", &format!("listening {text}"));
            let _ = is_still_starting(&text);
            let _ = health_port(&["--health-port", &text]);
            let _ = health_port(&[&text]);
        }
    }
}
