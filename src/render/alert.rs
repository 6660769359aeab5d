//! What is said of an incident: its message, edited as things change, and the lines of its thread.

use super::message::{Action, ActionStyle, Line, Message, Part, Span};
use super::phrase::{self, pick};
use crate::diagnosis::Language;
use crate::watch::book::Note;
use crate::watch::incident::{Digest, Incident, Spoken, State, Subject};
use crate::watch::silence::Silence;
use crate::watch::stuck::Symptom;
use jiff::{SignedDuration, Timestamp};

/// The ids of the buttons, as they come back in a click.
pub const ACKNOWLEDGE: &str = "incident-acknowledge";
pub const MUTE: &str = "incident-mute";
pub const AGAIN: &str = "incident-again";
/// How many incidents a digest names in its message; all of them are in its thread.
const IN_DIGEST: usize = 3;
/// How many nodes the small print names.
const NODES: usize = 3;

/// Returns the message of an incident as it stands.
pub fn parent(incident: &Incident, language: Language) -> Message {
    let mut lines = vec![headline(incident, language), text(&incident.told.summary, language)];
    let resolved = matches!(incident.state, State::Resolved { .. });
    if let Some(fix) = incident.told.fix.as_ref().filter(|_| !resolved) {
        let mut line = vec![plain("→ ")];
        line.extend(text(fix, language));
        lines.push(line);
    }
    let button = |id: &str, label: &str| Action {
        id: id.to_owned(),
        value: incident.id.clone(),
        label: label.to_owned(),
        style: ActionStyle::Plain,
    };
    let actions = match &incident.state {
        State::Resolved { .. } => vec![],
        State::Open => vec![
            button(ACKNOWLEDGE, pick(language, "I look after it", "我来处理")),
            button(AGAIN, pick(language, "Diagnose again", "重新诊断")),
            button(MUTE, pick(language, "Silence 2 h", "静默 2 小时")),
        ],
        State::Acknowledged { .. } => vec![
            button(AGAIN, pick(language, "Diagnose again", "重新诊断")),
            button(MUTE, pick(language, "Silence 2 h", "静默 2 小时")),
        ],
    };
    Message { parts: vec![Part::Lines(lines), Part::Small(small_print(incident, language))], actions }
}

/// Returns an incident in one line.
fn headline(incident: &Incident, language: Language) -> Line {
    let name = Span::Strong(incident.key.subject.name());
    if let State::Resolved { at } = incident.state {
        let after = phrase::duration(at.duration_since(incident.since), language);
        let words = match language {
            Language::English => format!(": resolved after {after}"),
            Language::Chinese => format!("：已恢复，历时 {after}"),
        };
        return vec![plain("✅ "), name, plain(words)];
    }
    if incident.pods.is_empty() {
        let words = pick(
            language,
            ": no pod is in trouble any more, watching whether it lasts",
            "：已无异常 Pod，正在观察是否稳定",
        );
        return vec![plain("🟡 "), name, plain(words)];
    }
    let (now, wanted) = (incident.pods.len(), incident.told.wanted.unwrap_or(0));
    let sign = match &incident.key.cause {
        cause if cause == "unknown" => "⚪",
        _ if now < wanted => "🟡",
        _ => "🔴",
    };
    let state = symptom(incident.symptom, language);
    let words = match (language, &incident.key.subject) {
        (Language::English, Subject::Node { .. }) => format!(": {} {state}", pods_en(incident.most.max(now))),
        (Language::Chinese, Subject::Node { .. }) => format!("：{} 个 Pod {state}", incident.most.max(now)),
        (Language::English, _) if wanted > 1 => format!(": {} of {wanted} pods {state}", now.min(wanted)),
        (Language::Chinese, _) if wanted > 1 => format!("：{}/{wanted} 个 Pod {state}", now.min(wanted)),
        (Language::English, _) => format!(": {} {state}", pods_en(now)),
        (Language::Chinese, _) => format!("：{now} 个 Pod {state}"),
    };
    vec![plain(format!("{sign} ")), name, Span::Strong(words)]
}

fn pods_en(count: usize) -> String {
    if count == 1 { "1 pod".to_owned() } else { format!("{count} pods") }
}

/// Returns what people call a symptom.
pub fn symptom(symptom: Symptom, language: Language) -> &'static str {
    match symptom {
        Symptom::Pending => pick(language, "pending", "等待调度"),
        Symptom::Creating => pick(language, "not starting", "无法启动"),
        Symptom::Terminating => pick(language, "stuck terminating", "卡在终止中"),
        Symptom::NotReady => pick(language, "not ready", "未就绪"),
        Symptom::CrashLooping => pick(language, "crash looping", "反复崩溃"),
        Symptom::Unknown => pick(language, "lost with their node", "随节点失联"),
    }
}

fn small_print(incident: &Incident, language: Language) -> Line {
    let mut parts: Vec<Line> = Vec::new();
    if !incident.key.cluster.is_empty() {
        parts.push(vec![plain(format!("{} {}", pick(language, "cluster", "集群"), incident.key.cluster))]);
    }
    if let Subject::Workload { kind, name, .. } = &incident.key.subject {
        parts.push(vec![plain(format!("{}/{name}", kind.to_lowercase()))]);
        let nodes: Vec<&str> = incident.nodes.iter().map(String::as_str).take(NODES).collect();
        let more = incident.nodes.len().saturating_sub(NODES);
        if !nodes.is_empty() {
            let more = if more == 0 { String::new() } else { format!(" +{more}") };
            let word = if incident.nodes.len() == 1 {
                pick(language, "node", "节点")
            } else {
                pick(language, "nodes", "节点")
            };
            parts.push(vec![plain(format!("{word} {}{more}", nodes.join(", ")))]);
        }
    }
    parts.push(vec![plain(pick(language, "since ", "自 ")), Span::Time(incident.since)]);
    if incident.reopened > 0 {
        parts.push(vec![plain(match language {
            Language::English => format!("came back {}×", incident.reopened),
            Language::Chinese => format!("复发 {} 次", incident.reopened),
        })]);
    }
    if let State::Acknowledged { by, .. } = &incident.state {
        parts.push(vec![plain(pick(language, "looked after by ", "处理人 ")), Span::Person(by.clone())]);
    }
    super::answer::dotted(parts)
}

/// Returns what the thread says of something that happened; `None` = it says nothing of its own.
pub fn note(note: &Note, incident: &Incident, language: Language) -> Option<Message> {
    let line = match note {
        Note::Opened => return None,
        Note::Acknowledged { by } => match language {
            Language::English => vec![plain("👀 "), Span::Person(by.clone()), plain(" looks after it.")],
            Language::Chinese => vec![plain("👀 "), Span::Person(by.clone()), plain(" 正在处理。")],
        },
        Note::Resolved { after } => resolved(*after, language),
        Note::Reopened => {
            vec![plain(pick(language, "🔴 It is back: ", "🔴 再次发生：")), plain(incident.told.summary.of(language))]
        }
        Note::Reminder { number, open_for } => {
            let open_for = phrase::duration(*open_for, language);
            vec![plain(match language {
                Language::English => {
                    format!(
                        "⏰ Still so after {open_for}, and nobody looks after it (reminder {number} of 3). React with 👀 to take it."
                    )
                }
                Language::Chinese => {
                    format!("⏰ 已持续 {open_for}，尚无人处理（第 {number}/3 次提醒）。用 👀 回应即可认领。")
                }
            })]
        }
    };
    Some(Message { parts: vec![Part::Lines(vec![line])], actions: vec![] })
}

fn resolved(after: SignedDuration, language: Language) -> Line {
    let after = phrase::duration(after, language);
    vec![plain(match language {
        Language::English => format!("✅ Resolved after {after}: every pod of it is well or gone, and it lasts."),
        Language::Chinese => format!("✅ 已恢复，历时 {after}：相关 Pod 均已正常或消失，并已保持稳定。"),
    })]
}

/// Returns the message of a digest, and its thread: every incident in a line.
pub fn digest(digest: &Digest, incidents: &[&Incident], language: Language) -> (Message, Vec<Message>) {
    let open = incidents.iter().filter(|incident| incident.is_open()).count();
    let all = incidents.len();
    let head = match (language, open, digest.at_start) {
        (Language::English, 0, _) => format!("✅ all {all} of these are resolved"),
        (Language::Chinese, 0, _) => format!("✅ 这 {all} 项均已恢复"),
        (Language::English, _, true) => format!("🔴 {open} of {all} things were sick already when I started watching"),
        (Language::Chinese, _, true) => format!("🔴 开始监视时已有 {all} 项异常，其中 {open} 项仍未恢复"),
        (Language::English, _, false) => format!("🔴 {all} things broke at once; {open} are still open"),
        (Language::Chinese, _, false) => format!("🔴 {all} 项同时异常，其中 {open} 项仍未恢复"),
    };
    let mut lines = vec![vec![Span::Strong(head)]];
    lines.extend(incidents.iter().filter(|incident| incident.is_open()).take(IN_DIGEST).map(|i| entry(i, language)));
    let small = pick(
        language,
        "all of them in the thread; /podoctor TARGET tells one whole",
        "全部列在话题中；/podoctor TARGET 查看单项详情",
    );
    let message = Message { parts: vec![Part::Lines(lines), Part::Small(vec![plain(small)])], actions: vec![] };
    const LINES: usize = 20;
    let thread = incidents.chunks(LINES).map(|chunk| Message {
        parts: vec![Part::Lines(chunk.iter().map(|incident| entry(incident, language)).collect())],
        actions: vec![],
    });
    (message, thread.collect())
}

fn entry(incident: &Incident, language: Language) -> Line {
    let mut line = headline(incident, language);
    if incident.is_open() {
        line.push(plain(" · "));
        line.extend(text(&incident.told.summary, language));
    }
    line
}

/// Returns the list of silences.
pub fn silences(silences: &[Silence], language: Language) -> Message {
    if silences.is_empty() {
        return Message::text([pick(language, "Nothing is silenced.", "没有静默。")]);
    }
    let lines = silences.iter().map(|silence| {
        let mut line = vec![
            Span::Code(silence.target.clone()),
            plain(pick(language, " until ", " 静默至 ")),
            Span::Time(silence.until),
            plain(pick(language, ", by ", "，操作者 ")),
            Span::Person(silence.by.clone()),
        ];
        if !silence.why.is_empty() {
            line.push(plain(format!(": {}", silence.why)));
        }
        line
    });
    // Moments stand in small print: that is where every chat draws them in the reader's zone.
    Message { parts: lines.map(Part::Small).collect(), actions: vec![] }
}

/// Returns what is known of a target's past.
pub fn history(target: &str, incidents: &[Incident], now: Timestamp, language: Language) -> Message {
    if incidents.is_empty() {
        return Message::text([match language {
            Language::English => format!("I remember nothing of {target}."),
            Language::Chinese => format!("没有关于 {target} 的记录。"),
        }]);
    }
    let lines = incidents.iter().map(|incident| {
        let mut line = headline(incident, language);
        let ago = phrase::duration(now.duration_since(incident.opened), language);
        line.push(plain(match language {
            Language::English => format!(", told {ago} ago: "),
            Language::Chinese => format!("，{ago}前通知："),
        }));
        line.extend(text(&incident.told.summary, language));
        line
    });
    Message { parts: vec![Part::Lines(lines.collect())], actions: vec![] }
}

impl Spoken {
    /// Returns the words of a language.
    pub fn of(&self, language: Language) -> &str {
        match language {
            Language::English => &self.en,
            Language::Chinese => &self.zh,
        }
    }
}

fn text(spoken: &Spoken, language: Language) -> Line {
    super::answer::rich(spoken.of(language))
}

fn plain(text: impl Into<String>) -> Span {
    Span::Plain(text.into())
}
