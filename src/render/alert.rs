//! What is said of an incident: its message, edited as things change, and the lines of its thread.

mod changed;

use super::message::{Action, ActionStyle, Line, Message, Part, Span};
use super::phrase::{self, pick};
use crate::diagnosis::Language;
use crate::watch::book::{Note, UNKNOWN};
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
/// How many incidents a history tells.
const IN_HISTORY: usize = 20;
/// How many workloads the small print names, of what hits several.
const WORKLOADS: usize = 3;
/// How many nodes the small print names.
const NODES: usize = 3;

/// Returns the message of an incident as it stands.
pub fn parent(incident: &Incident, language: Language) -> Message {
    let mut lines = vec![headline(incident, language)];
    let resolved = matches!(incident.state, State::Resolved { .. });
    // Once it is over, nobody needs to know any more that the cause was not known.
    if !(resolved && incident.key.cause == UNKNOWN) {
        lines.push(text(&incident.told.summary, language));
    }
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
    let name = Span::Strong(name(incident, language));
    if let State::Resolved { at } = incident.state {
        let after = phrase::duration(at.duration_since(incident.since), language);
        let words = match language {
            Language::English => format!(": resolved after {after}"),
            Language::Chinese => format!("：已恢复，历时 {after}"),
        };
        let mut line = vec![plain("✅ "), name, plain(words)];
        if let Some(changed) = changed::changed(incident, language).into_iter().next() {
            line.push(plain(pick(language, ": ", "：")));
            line.extend(changed);
        }
        return line;
    }
    if incident.pods.is_empty() {
        let words = pick(
            language,
            ": no pod is in trouble any more, watching whether it lasts",
            "：已无异常 Pod，正在观察是否稳定",
        );
        return vec![plain("🟡 "), name, plain(words)];
    }
    let state = symptom(incident.symptom, language);
    let words = match language {
        Language::English => format!(": {} {state}", pods_en(incident)),
        Language::Chinese => format!("：{} {state}", pods_zh(incident)),
    };
    vec![plain(format!("{} ", sign(incident))), name, Span::Strong(words)]
}

/// Returns how people name what ails: a single workload by its own name, whatever it suffers from.
fn name(incident: &Incident, language: Language) -> String {
    let subject = incident.workload().unwrap_or(&incident.key.subject);
    let (Subject::Shared { kind, .. }, Language::Chinese) = (subject, language) else { return subject.name() };
    let word = match kind.as_str() {
        "registry" => "镜像仓库",
        "quota" => "配额",
        "queue" => "队列",
        "scheduler" => "调度器",
        other => other,
    };
    subject.name().replacen(kind, word, 1)
}

/// Returns the colour: red = nothing of it serves, yellow = a part does, white = nobody knows why.
fn sign(incident: &Incident) -> &'static str {
    let scope = incident.last.as_ref().filter(|_| incident.workload().is_some());
    match scope.map(|scope| (scope.wanted, scope.serving)) {
        _ if incident.key.cause == UNKNOWN => "⚪",
        Some((Some(0), _)) => "🟡",
        Some((_, Some(serving))) if serving > 0 => "🟡",
        _ => "🔴",
    }
}

/// Returns how many pods the workload wants, where that says more than the number of those in trouble.
fn wanted(incident: &Incident) -> Option<usize> {
    incident.workload()?;
    let wanted = incident.last.as_ref()?.wanted?;
    (wanted > 1 && wanted >= incident.pods.len()).then_some(wanted)
}

fn pods_en(incident: &Incident) -> String {
    let count = match incident.key.subject {
        Subject::Node { .. } => incident.most.max(incident.pods.len()),
        _ => incident.pods.len(),
    };
    match (wanted(incident), count, incident.workloads.len()) {
        (Some(wanted), _, _) => format!("{count} of {wanted} pods"),
        (None, 1, _) => "1 pod".to_owned(),
        (None, _, workloads) if incident.is_shared() && workloads > 1 => {
            format!("{count} pods of {workloads} workloads")
        }
        _ => format!("{count} pods"),
    }
}

fn pods_zh(incident: &Incident) -> String {
    let count = match incident.key.subject {
        Subject::Node { .. } => incident.most.max(incident.pods.len()),
        _ => incident.pods.len(),
    };
    match (wanted(incident), incident.workloads.len()) {
        (Some(wanted), _) => format!("{count}/{wanted} 个 Pod"),
        (None, workloads) if incident.is_shared() && workloads > 1 => {
            format!("{workloads} 个工作负载的 {count} 个 Pod")
        }
        _ => format!("{count} 个 Pod"),
    }
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
    if let Some(Subject::Workload { kind, name, .. }) = incident.workload() {
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
    if incident.workload().is_none() && !incident.workloads.is_empty() {
        let names: Vec<String> = incident.workloads.iter().take(WORKLOADS).map(Subject::name).collect();
        let more = incident.workloads.len().saturating_sub(WORKLOADS);
        let more = if more == 0 { String::new() } else { format!(" +{more}") };
        parts.push(vec![plain(format!("{}{more}", names.join(", ")))]);
    }
    parts.push(vec![plain(pick(language, "since ", "自 ")), Span::Time(incident.since)]);
    if incident.reopened > 0 {
        parts.push(vec![plain(match language {
            Language::English => format!("came back {}×", incident.reopened),
            Language::Chinese => format!("复发 {} 次", incident.reopened),
        })]);
    }
    if let State::Acknowledged { by, at } = &incident.state {
        parts.push(vec![
            plain(pick(language, "looked after by ", "处理人 ")),
            Span::Person(by.clone()),
            plain(pick(language, " since ", "，自 ")),
            Span::Time(*at),
        ]);
    }
    if let Some(until) = incident.muted.filter(|_| incident.is_open()) {
        parts.push(vec![plain(pick(language, "silenced until ", "静默至 ")), Span::Time(until)]);
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
        Note::Muted { by, .. } => match language {
            Language::English => {
                vec![
                    plain("🔕 "),
                    Span::Person(by.clone()),
                    plain(" does not want to hear of it for 2 h; it is still watched."),
                ]
            }
            Language::Chinese => {
                vec![plain("🔕 "), Span::Person(by.clone()), plain(" 将其静默 2 小时；监视仍在继续。")]
            }
        },
        Note::Resolved { after } => resolved(*after, incident, language),
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

fn resolved(after: SignedDuration, incident: &Incident, language: Language) -> Line {
    let after = phrase::duration(after, language);
    let mut line = vec![plain(match language {
        Language::English => format!("✅ Resolved after {after}: every pod of it is well or gone, and it lasts."),
        Language::Chinese => format!("✅ 已恢复，历时 {after}：相关 Pod 均已正常或消失，并已保持稳定。"),
    })];
    for (i, changed) in changed::changed(incident, language).into_iter().enumerate() {
        line.push(plain(match i {
            0 => pick(language, " Changed meanwhile: ", "期间变更："),
            _ => pick(language, "; ", "；"),
        }));
        line.extend(changed);
    }
    line
}

/// Returns the message of a digest, and its thread: every incident in a line.
pub fn digest(digest: &Digest, incidents: &[&Incident], language: Language) -> (Message, Vec<Message>) {
    let open = incidents.iter().filter(|incident| incident.is_open()).count();
    let all = incidents.len();
    let head = match (language, open, digest.at_start) {
        (Language::English, _, _) if digest.held => {
            format!("🌙 {all} things broke in quiet hours; {open} are still open")
        }
        (Language::Chinese, _, _) if digest.held => format!("🌙 静默时段内有 {all} 项异常，其中 {open} 项仍未恢复"),
        (Language::English, 0, _) => format!("✅ all {all} of these are resolved"),
        (Language::Chinese, 0, _) => format!("✅ 这 {all} 项均已恢复"),
        (Language::English, _, true) => format!("🔴 {open} of {all} things were sick already when I started watching"),
        (Language::Chinese, _, true) => format!("🔴 开始监视时已有 {all} 项异常，其中 {open} 项仍未恢复"),
        (Language::English, _, false) => format!("🔴 {all} things broke at once; {open} are still open"),
        (Language::Chinese, _, false) => format!("🔴 {all} 项同时异常，其中 {open} 项仍未恢复"),
    };
    let mut lines = vec![vec![Span::Strong(head)]];
    // What was held back is told even where it is over: nobody has heard of it.
    let named = incidents.iter().filter(|incident| incident.is_open() || digest.held);
    lines.extend(named.take(IN_DIGEST).map(|incident| entry(incident, language)));
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

/// Returns an incident with its cause in one line.
pub fn entry(incident: &Incident, language: Language) -> Line {
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

/// Returns what is told, once, of a channel in which nothing can be said.
pub fn closed(channel: &str, code: &str, named_by: &str, language: Language) -> Message {
    let why = match (code, language) {
        ("is_archived", Language::English) => "it is archived",
        ("is_archived", Language::Chinese) => "该频道已归档",
        ("channel_not_found", Language::English) => "there is no such channel, or I am not in it",
        ("channel_not_found", Language::Chinese) => "没有这个频道，或我不在其中",
        ("not_in_channel", Language::English) => "I am not in it",
        ("not_in_channel", Language::Chinese) => "我不在该频道中",
        (_, Language::English) => "it takes no messages of mine",
        (_, Language::Chinese) => "该频道不接受我的消息",
    };
    let (channel, setting) = (Span::Code(channel.to_owned()), Span::Code(named_by.to_owned()));
    let line = match language {
        Language::English => vec![
            plain("⚠️ I cannot tell alerts in "),
            channel,
            plain(format!(": {why} ({code}). They come here instead. It is named by ")),
            setting,
            plain(": correct that, or /invite @podoctor there."),
        ],
        Language::Chinese => vec![
            plain("⚠️ 无法在 "),
            channel,
            plain(format!(" 发送告警：{why}（{code}），改为发送到这里。该频道来自 ")),
            setting,
            plain("：请更正，或在该频道中 /invite @podoctor。"),
        ],
    };
    Message { parts: vec![Part::Lines(vec![line])], actions: vec![] }
}

/// Returns what is known of a target's past.
pub fn history(target: &str, incidents: &[Incident], now: Timestamp, language: Language) -> Message {
    if incidents.is_empty() {
        return Message::text([match language {
            Language::English => format!("I remember nothing of {target}."),
            Language::Chinese => format!("没有关于 {target} 的记录。"),
        }]);
    }
    let more = incidents.len().saturating_sub(IN_HISTORY);
    let lines = incidents.iter().take(IN_HISTORY).map(|incident| {
        let mut line = headline(incident, language);
        let ago = phrase::duration(now.duration_since(incident.opened), language);
        line.push(plain(match language {
            Language::English => format!(", told {ago} ago: "),
            Language::Chinese => format!("，{ago}前通知："),
        }));
        line.extend(text(&incident.told.summary, language));
        line
    });
    let message = Message { parts: vec![Part::Lines(lines.collect())], actions: vec![] };
    if more == 0 {
        return message;
    }
    message.with(Part::Small(vec![plain(match language {
        Language::English => format!("and {more} older ones"),
        Language::Chinese => format!("另有更早的 {more} 次"),
    })]))
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

#[cfg(test)]
mod tests;
