//! The answer to a question: a parent that is read in five seconds, and a thread with evidence and fix.

use super::message::{Line, Message, Part, Reply, Span};
use super::phrase::{self, pick};
use crate::diagnosis::story::Topic;
use crate::diagnosis::{Diagnosis, Finding, Fix, Language, Risk, Verdict};
use crate::facts::Evidence;
use crate::question::{Answer, Group};
use jiff::Timestamp;

/// How many pieces of evidence the thread's first message shows; the rest follows.
const EVIDENCE_SHOWN: usize = 5;
/// How many groups an answer about many pods names in its parent, and in its thread.
const GROUPS_IN_PARENT: usize = 3;
const GROUPS_IN_THREAD: usize = 40;
/// How many groups are told in one message of the thread: a chat takes about a message a second.
const GROUPS_A_MESSAGE: usize = 6;

/// Returns the reply to a question. `asker` is the person who asked, where the parent must name them.
pub fn reply(answer: &Answer, asked: &str, asker: Option<&str>, language: Language) -> Reply {
    match answer {
        Answer::One { diagnosis, among } => one(diagnosis, *among, asker, language),
        Answer::Many(groups) => many(groups, asked, asker, language),
    }
}

fn one(diagnosis: &Diagnosis, among: usize, asker: Option<&str>, language: Language) -> Reply {
    Reply { parent: parent(diagnosis, among, asker, language), thread: thread(diagnosis, language) }
}

fn parent(diagnosis: &Diagnosis, among: usize, asker: Option<&str>, language: Language) -> Message {
    let mut lines = vec![headline(diagnosis, language)];
    match diagnosis.answer() {
        Some(finding) => {
            lines.push(summary(finding, language));
            let change = diagnosis.story.iter().find(|chapter| chapter.topic != Topic::Pods);
            lines.extend(change.map(|chapter| rich(chapter.text.of(language))));
            if let Some(fix) = first_to_do(diagnosis, finding).filter(|_| diagnosis.verdict != Verdict::Healthy) {
                lines.push(rich(&format!("→ {}", fix.text.of(language))));
            }
        }
        None => {
            lines.push(vec![plain(pick(
                language,
                "None of the causes I know fits. What was checked, and what to look at next, stands below.",
                "没有符合的已知原因。已检查的内容和下一步建议见下文。",
            ))]);
            lines.extend(diagnosis.next.first().map(|step| rich(&format!("→ {}", step.text.of(language)))));
        }
    }
    Message {
        parts: vec![Part::Lines(lines), Part::Small(small_print(diagnosis, among, asker, language))],
        actions: vec![],
    }
}

fn headline(diagnosis: &Diagnosis, language: Language) -> Line {
    let target = &diagnosis.target;
    let mut line =
        vec![plain(format!("{} ", phrase::sign(diagnosis.verdict))), Span::Strong(name_of(diagnosis)), plain(": ")];
    let state = match diagnosis.verdict {
        Verdict::Sick if target.kind == "Pod" => diagnosis.symptom.clone(),
        Verdict::Sick => pick(language, "pods cannot be made", "无法创建 Pod").to_owned(),
        verdict => phrase::verdict(verdict, language).to_owned(),
    };
    line.push(Span::Strong(state));
    let since =
        diagnosis.since.map(|since| diagnosis.at.duration_since(since)).filter(jiff::SignedDuration::is_positive);
    if let (Verdict::Sick | Verdict::Unknown, Some(for_)) = (diagnosis.verdict, since) {
        let for_ = phrase::duration(for_, language);
        line.push(plain(match language {
            Language::English => format!(" for {for_}"),
            Language::Chinese => format!("，已 {for_}"),
        }));
    }
    line
}

/// Returns the fix that a parent names: the first that cures, else the first there is. Nothing dangerous in a headline,
/// and nothing that changes anything for what is merely possible: look first.
pub fn first_to_do<'d>(diagnosis: &'d Diagnosis, finding: &'d Finding) -> Option<&'d Fix> {
    if diagnosis.verdict == Verdict::Unknown {
        return finding.fixes.iter().find(|fix| fix.risk == Risk::Safe).or(diagnosis.next.first());
    }
    finding
        .fixes
        .iter()
        .find(|fix| fix.risk == Risk::Careful)
        .or(finding.fixes.first())
        .filter(|fix| fix.risk != Risk::Dangerous)
}

fn name_of(diagnosis: &Diagnosis) -> String {
    let target = &diagnosis.target;
    match (target.kind.as_str(), target.namespace.as_str()) {
        ("Pod", namespace) => format!("{namespace}/{}", target.name),
        (kind, "") => format!("{} {}", kind.to_lowercase(), target.name),
        (kind, namespace) => format!("{namespace}/{}/{}", kind.to_lowercase(), target.name),
    }
}

fn summary(finding: &Finding, language: Language) -> Line {
    rich(&format!("{}{}", phrase::certainty(finding.certainty, language), finding.summary.of(language)))
}

fn small_print(diagnosis: &Diagnosis, among: usize, asker: Option<&str>, language: Language) -> Line {
    let mut parts: Vec<Line> = Vec::new();
    if !diagnosis.cluster.is_empty() {
        parts.push(vec![plain(format!("{} {}", pick(language, "cluster", "集群"), diagnosis.cluster))]);
    }
    // Where the workload itself was asked about, its name stands above already.
    let target = &diagnosis.target;
    let is_target = (&target.kind, &target.name) == (&diagnosis.workload.kind, &diagnosis.workload.name);
    if diagnosis.workload.kind != "Pod" && !is_target {
        parts.push(vec![plain(diagnosis.workload.to_string())]);
    }
    if let Some(node) = &diagnosis.node {
        parts.push(vec![plain(format!("{} {node}", pick(language, "node", "节点")))]);
    }
    if let Some(since) = diagnosis.since {
        parts.push(vec![plain(pick(language, "since ", "自 ")), Span::Time(since)]);
    }
    let pods = diagnosis.story.iter().find(|chapter| chapter.topic == Topic::Pods);
    parts.extend(pods.map(|chapter| vec![plain(chapter.text.of(language))]));
    if among > 1 {
        parts.push(vec![plain(match language {
            Language::English => format!("the sickest of {among} pods that fit"),
            Language::Chinese => format!("{among} 个匹配的 Pod 中最严重的一个"),
        })]);
    }
    if let Some(asker) = asker {
        parts.push(vec![plain(pick(language, "asked by ", "提问者 ")), Span::Person(asker.to_owned())]);
    }
    if parts.is_empty() {
        parts.push(vec![plain(pick(language, "as of ", "截至 ")), Span::Time(diagnosis.at)]);
    }
    dotted(parts)
}

/// Returns pieces of small print as one line, with a dot between them.
pub(super) fn dotted(parts: Vec<Line>) -> Line {
    let mut line = Vec::new();
    for (i, part) in parts.into_iter().enumerate() {
        if i > 0 {
            line.push(plain(" · "));
        }
        line.extend(part);
    }
    line
}

fn thread(diagnosis: &Diagnosis, language: Language) -> Vec<Message> {
    let mut messages = Vec::new();
    if let Some(finding) = diagnosis.answer() {
        messages.push(evidence_and_fix(diagnosis, finding, language));
    }
    messages.push(looked_at(diagnosis, language));
    messages
}

/// The first reply: with the parent it holds the whole name, the evidence and the fix.
fn evidence_and_fix(diagnosis: &Diagnosis, finding: &Finding, language: Language) -> Message {
    let sure = diagnosis.verdict != Verdict::Unknown;
    let (why, how) = if sure {
        (pick(language, "Why we think so", "判断依据"), pick(language, "How to fix it", "如何修复"))
    } else {
        (
            pick(language, "What speaks for it, without proof", "支持它的迹象（不足以证明）"),
            pick(language, "What would help if it is so", "如果确实如此，可以这样处理"),
        )
    };
    let mut parts = vec![Part::Heading(vec![plain(why)])];
    for evidence in finding.evidence.iter().take(EVIDENCE_SHOWN) {
        parts.push(quote(evidence, diagnosis.at, language));
    }
    if finding.evidence.is_empty() {
        parts.push(Part::Lines(vec![vec![plain(finding.cause.page.tell.of(language))]]));
    }
    if !finding.fixes.is_empty() {
        parts.push(Part::Heading(vec![plain(how)]));
        for (i, fix) in finding.fixes.iter().enumerate() {
            parts.extend(fix_parts(i + 1, fix, language));
        }
    }
    Message { parts, actions: vec![] }
}

fn fix_parts(number: usize, fix: &Fix, language: Language) -> Vec<Part> {
    let text = format!("{number}. {} ({})", fix.text.of(language), phrase::risk(fix.risk, language));
    let mut parts = vec![Part::Lines(vec![rich(&text)])];
    if let Some(command) = &fix.command {
        parts.push(Part::Code(command.clone()));
    }
    parts
}

/// The second reply: what else shows, what else was checked, what could not be read.
fn looked_at(diagnosis: &Diagnosis, language: Language) -> Message {
    let mut parts = Vec::new();
    if let Some(finding) = diagnosis.answer() {
        let rest: Vec<Part> = finding
            .evidence
            .iter()
            .skip(EVIDENCE_SHOWN)
            .map(|evidence| quote(evidence, diagnosis.at, language))
            .collect();
        if !rest.is_empty() {
            parts.push(Part::Heading(vec![plain(pick(language, "More evidence", "更多依据"))]));
            parts.extend(rest);
        }
        let page = &finding.cause.page;
        parts.push(Part::Heading(vec![plain(page.title.of(language))]));
        parts.push(Part::Lines(vec![
            rich(page.what.of(language)),
            vec![
                plain(pick(language, "More: /podoctor causes ", "更多：/podoctor causes ")),
                Span::Code(finding.cause.id.to_owned()),
            ],
        ]));
    }
    let others: Vec<Line> = diagnosis.findings.iter().skip(1).map(|finding| also(finding, language)).collect();
    if !others.is_empty() {
        parts.push(Part::Heading(vec![plain(pick(language, "Also seen", "另外还发现"))]));
        parts.push(Part::Lines(others));
    }
    if !diagnosis.checked.is_empty() {
        parts.push(Part::Heading(vec![plain(pick(language, "What was checked", "已检查"))]));
        parts.push(Part::Lines(
            diagnosis.checked.iter().map(|words| rich(&format!("• {}", words.of(language)))).collect(),
        ));
    }
    if !diagnosis.unreadable.is_empty() {
        parts.push(Part::Heading(vec![plain(pick(language, "Could not be read", "无法读取"))]));
        let lines =
            diagnosis.unreadable.iter().map(|unread| vec![plain(format!("{}: {}", unread.what, unread.why))]).collect();
        parts.push(Part::Lines(lines));
    }
    if !diagnosis.next.is_empty() {
        parts.push(Part::Heading(vec![plain(pick(language, "Look at next", "下一步查看"))]));
        for step in &diagnosis.next {
            parts.push(Part::Lines(vec![rich(&format!("• {}", step.text.of(language)))]));
            parts.extend(step.command.clone().map(Part::Code));
        }
    }
    parts.push(Part::Small(vec![plain(pick(language, "as of ", "截至 ")), Span::Time(diagnosis.at)]));
    Message { parts, actions: vec![] }
}

fn also(finding: &Finding, language: Language) -> Line {
    let mut line = vec![plain("• "), Span::Code(finding.cause.id.to_owned()), plain(" ")];
    line.extend(summary(finding, language));
    line
}

fn quote(evidence: &Evidence, now: Timestamp, language: Language) -> Part {
    let mut origin = vec![Span::Code(evidence.source.clone())];
    if let Some(at) = evidence.at {
        let age = phrase::duration(now.duration_since(at), language);
        origin.push(plain(match language {
            Language::English => format!(", {age} ago"),
            Language::Chinese => format!("，{age}前"),
        }));
    }
    Part::Quote { origin, text: evidence.quote.clone() }
}

fn many(groups: &[Group], asked: &str, asker: Option<&str>, language: Language) -> Reply {
    let pods: usize = groups.iter().map(|group| group.pods.len()).sum();
    let sick = groups.iter().filter(|group| group.diagnosis.verdict == Verdict::Sick).count();
    let mut lines = Vec::new();
    if groups.is_empty() {
        lines.push(vec![
            plain("🟢 "),
            Span::Strong(asked.to_owned()),
            plain(pick(language, ": nothing is wrong", "：一切正常")),
        ]);
    } else {
        let text = match language {
            Language::English if sick == 0 => {
                format!(
                    ": {} not as it should be, and I could not tell why",
                    counted(groups.len(), "thing is", "things are")
                )
            }
            Language::Chinese if sick == 0 => format!("：{} 处异常，无法判断原因", groups.len()),
            Language::English => {
                format!(
                    ": {} wrong, {}",
                    counted(groups.len(), "thing is", "things are"),
                    counted(pods, "sick pod", "sick pods")
                )
            }
            Language::Chinese => format!("：{} 个问题，{pods} 个异常 Pod", groups.len()),
        };
        let sign = phrase::sign(if sick > 0 { Verdict::Sick } else { Verdict::Unknown });
        lines.push(vec![plain(format!("{sign} ")), Span::Strong(asked.to_owned()), plain(text)]);
        lines.extend(groups.iter().take(GROUPS_IN_PARENT).map(|group| group_line(group, language)));
    }
    let mut parts = vec![Part::Lines(lines)];
    if let Some(asker) = asker {
        parts.push(Part::Small(vec![plain(pick(language, "asked by ", "提问者 ")), Span::Person(asker.to_owned())]));
    }
    let told = &groups[..groups.len().min(GROUPS_IN_THREAD)];
    let mut thread: Vec<Message> =
        told.chunks(GROUPS_A_MESSAGE).map(|groups| groups_message(groups, language)).collect();
    if groups.len() > GROUPS_IN_THREAD {
        let rest: Vec<Line> = groups.iter().skip(GROUPS_IN_THREAD).map(|group| group_line(group, language)).collect();
        thread.push(Message { parts: vec![Part::Lines(rest)], actions: vec![] });
    }
    Reply { parent: Message { parts, actions: vec![] }, thread }
}

/// Returns "1 thing is" or "3 things are".
fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn group_line(group: &Group, language: Language) -> Line {
    let diagnosis = &group.diagnosis;
    let workload = format!("{}/{}", diagnosis.workload.namespace, diagnosis.workload.name);
    let name = if diagnosis.target.kind == "Node" { name_of(diagnosis) } else { workload };
    let mut line = vec![plain(format!("{} ", phrase::sign(diagnosis.verdict))), Span::Strong(name)];
    if group.of > 1 && diagnosis.target.kind != "Node" {
        line.push(plain(match language {
            Language::English => format!(" ({} of {} pods)", group.pods.len(), group.of),
            Language::Chinese => format!("（{}/{} 个 Pod）", group.pods.len(), group.of),
        }));
    }
    if group.workloads > 1 {
        let (pods, workloads) = (group.pods.len(), group.workloads);
        line.push(plain(match language {
            Language::English => format!(" ({pods} pods of {workloads} workloads)"),
            Language::Chinese => format!("（{workloads} 个工作负载的 {pods} 个 Pod）"),
        }));
    }
    line.push(plain(": "));
    match diagnosis.answer() {
        Some(finding) => line.extend(summary(finding, language)),
        None => line.push(plain(format!("{}, {}", diagnosis.symptom, phrase::verdict(diagnosis.verdict, language)))),
    }
    line
}

fn groups_message(groups: &[Group], language: Language) -> Message {
    Message { parts: groups.iter().flat_map(|group| group_parts(group, language)).collect(), actions: vec![] }
}

fn group_parts(group: &Group, language: Language) -> Vec<Part> {
    let mut parts = vec![Part::Lines(vec![group_line(group, language)])];
    if let Some(finding) = group.diagnosis.answer() {
        if let Some(evidence) = finding.evidence.first() {
            parts.push(quote(evidence, group.diagnosis.at, language));
        }
        if let Some(fix) = finding.fixes.first().filter(|_| group.diagnosis.verdict != Verdict::Unknown) {
            parts.extend(fix_parts(1, fix, language));
        }
    }
    // How many of its pods are well stands in the group's own line.
    let changes = group.diagnosis.story.iter().filter(|chapter| chapter.topic != Topic::Pods);
    let told: Vec<Line> = changes.map(|chapter| rich(chapter.text.of(language))).collect();
    if !told.is_empty() {
        parts.push(Part::Lines(told));
    }
    if let Some(step) = group.diagnosis.next.first() {
        parts.push(Part::Lines(vec![rich(&format!("→ {}", step.text.of(language)))]));
        parts.extend(step.command.clone().map(Part::Code));
    }
    if !group.pods.is_empty() {
        const SHOWN: usize = 10;
        let mut names = group.pods.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
        if group.pods.len() > SHOWN {
            names.push_str(&format!(" … +{}", group.pods.len() - SHOWN));
        }
        parts.push(Part::Small(vec![plain(names)]));
    }
    parts
}

/// Returns a text as spans, with what stands between backticks as code.
pub(super) fn rich(text: &str) -> Line {
    let parts: Vec<&str> = text.split('`').collect();
    // A backtick without its twin is only a backtick.
    if parts.len().is_multiple_of(2) {
        return vec![plain(text)];
    }
    let spans = parts.into_iter().enumerate().filter(|(_, part)| !part.is_empty());
    spans.map(|(i, part)| if i % 2 == 1 { Span::Code(part.to_owned()) } else { plain(part) }).collect()
}

fn plain(text: impl Into<String>) -> Span {
    Span::Plain(text.into())
}
