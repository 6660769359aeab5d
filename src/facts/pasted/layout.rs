//! What terminals and chats do to the layout of describe's text, undone: broken lines and lost indentation.

/// Widths of terminals at which a single long line tells that lines were broken.
const WIDTHS: [usize; 6] = [80, 100, 120, 132, 160, 200];

/// Fields of a container; what stands between them belongs to the one before.
const OF_CONTAINER: &[&str] = &[
    "Args",
    "Command",
    "Container ID",
    "Devices",
    "Environment",
    "Environment Variables from",
    "Host Port",
    "Host Ports",
    "Image",
    "Image ID",
    "Last State",
    "Limits",
    "Liveness",
    "Mounts",
    "Port",
    "Ports",
    "Readiness",
    "Ready",
    "Requests",
    "Restart Count",
    "SeccompProfile",
    "Startup",
    "State",
];

/// Returns the lines as kubectl printed them, as far as that can be told.
pub fn restored(lines: &[String], is_top: impl Fn(&str) -> bool) -> Vec<String> {
    let deepest = lines.iter().map(|line| indent(line)).max().unwrap_or(0);
    // kubectl indents by two at least.
    if deepest >= 2 { joined(lines, is_top) } else { indented(lines, is_top) }
}

/// Joins lines that a terminal broke at its width.
fn joined(lines: &[String], is_top: impl Fn(&str) -> bool) -> Vec<String> {
    let width = |line: &str| line.chars().count();
    let widest = lines.iter().map(|line| width(line)).max().unwrap_or(0);
    // A blank at the end of a line is gone.
    let is_full = |line: &str| width(line) + 1 >= widest;
    let full = lines.iter().filter(|line| is_full(line)).count();
    if widest < 60 || (full < 3 && !WIDTHS.contains(&widest)) {
        return lines.to_vec();
    }
    let mut found: Vec<String> = Vec::new();
    let mut before: Option<&String> = None;
    for line in lines {
        let goes_on = before.is_some_and(|before| is_full(before))
            && !line.is_empty()
            && indent(line) < 2
            && !(indent(line) == 0 && is_top(key(line)));
        match found.last_mut().filter(|_| goes_on) {
            Some(last) => {
                if before.is_some_and(|before| width(before) < widest) {
                    last.push(' ');
                }
                last.push_str(line);
            }
            None => found.push(line.clone()),
        }
        before = Some(line);
    }
    found
}

enum Section {
    Outer,
    Containers,
    Volumes,
    Rows,
}

/// Gives lines that lost their indentation a new one, by what they say.
fn indented(lines: &[String], is_top: impl Fn(&str) -> bool) -> Vec<String> {
    let next_key = |at: usize| lines[at + 1..].iter().map(|line| line.trim()).find(|l| !l.is_empty()).map(key);
    let (mut base, mut section) = (0, Section::Outer);
    let mut found = Vec::with_capacity(lines.len());
    for (at, line) in lines.iter().enumerate() {
        let text = line.trim();
        let key = key(text);
        let opens = text.ends_with(':') && !text.contains(": ");
        let leaves = match section {
            Section::Outer => is_top(key),
            // Fields of a state and of a volume have the names of outer ones.
            Section::Containers => is_top(key) && !matches!(key, "Reason" | "Message" | "SeccompProfile"),
            Section::Volumes => is_top(key) && !of_volume(key),
            Section::Rows => is_top(key) && key != "IP",
        };
        let mut depth = base;
        if leaves {
            if matches!(key, "Conditions" | "Events" | "OldReplicaSets" | "NewReplicaSet" | "Volume Claims") {
                base = 0;
            }
            depth = base;
            section = match key {
                "Pod Template" => {
                    base = 2;
                    Section::Outer
                }
                "Containers" | "Init Containers" | "Ephemeral Containers" => Section::Containers,
                "Volumes" if opens => Section::Volumes,
                "Conditions"
                | "Events"
                | "Addresses"
                | "Capacity"
                | "Allocatable"
                | "System Info"
                | "IPs"
                | "Lease"
                | "Non-terminated Pods"
                | "Allocated resources"
                | "Readiness Gates"
                | "Source"
                | "Node Affinity"
                    if opens || key == "Non-terminated Pods" =>
                {
                    Section::Rows
                }
                _ => Section::Outer,
            };
        } else {
            depth += match section {
                Section::Outer => 0,
                Section::Rows => 2,
                Section::Containers => match next_key(at) {
                    Some("Container ID" | "Image" | "Port") if opens && !OF_CONTAINER.contains(&key) => 2,
                    _ if OF_CONTAINER.contains(&key) => 4,
                    _ => 6,
                },
                Section::Volumes if opens && next_key(at) == Some("Type") => 2,
                Section::Volumes => 4,
            };
        }
        found.push(format!("{:depth$}{text}", ""));
    }
    found
}

fn of_volume(key: &str) -> bool {
    matches!(
        key,
        "Name"
            | "Capacity"
            | "StorageClass"
            | "Volume"
            | "Labels"
            | "Annotations"
            | "Status"
            | "Access Modes"
            | "VolumeMode"
    )
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// Returns what stands before the colon.
fn key(text: &str) -> &str {
    text.find(": ").map(|at| &text[..at]).or(text.strip_suffix(':')).unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_top(key: &str) -> bool {
        matches!(
            key,
            "Name" | "Status" | "Reason" | "Containers" | "Conditions" | "Volumes" | "QoS Class" | "Events" | "Message"
        )
    }

    #[test]
    fn indentation_comes_back() {
        let text = "Name:  web\nContainers:\n  app:\n    Image:  x\n    State:  Waiting\n      Reason:  ErrImagePull\n\
            Conditions:\n  Type  Status\n  Ready  False\nVolumes:\n  conf:\n    Type:  ConfigMap\n    Name:  c\nQoS Class:  Burstable\n\
            Events:\n  Warning  Failed  5s  kubelet  no";
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let flat: Vec<String> = lines.iter().map(|line| line.trim().to_owned()).collect();
        assert_eq!(restored(&flat, is_top), lines);
        assert_eq!(restored(&lines, is_top), lines);
    }

    #[test]
    fn broken_lines_are_joined() {
        let long = format!("  Warning  Failed  5s  kubelet  {}", "word ".repeat(30));
        let mut lines = vec!["Name:  web".to_owned(), "Events:".to_owned()];
        let signs: Vec<char> = long.trim_end().chars().collect();
        lines.extend(signs.chunks(80).map(|part| part.iter().collect::<String>().trim_end().to_owned()));
        lines.push("  Normal  Pulled  5s  kubelet  yes".to_owned());
        let found = restored(&lines, is_top);
        assert_eq!(found[2], long.trim_end());
        assert_eq!(found.len(), 4);
    }
}
