//! What is said of a plan: its message, edited at each step, what its thread tells at the end, and what one person is told.

use super::answer::{dotted, rich};
use super::message::{Action, ActionStyle, Line, Message, Part, Span};
use super::phrase::pick;
use crate::diagnosis::{Language, Words};
use crate::remedy::plan::{Plan, Right, Weight};
use crate::remedy::proposal::{Progress, Proposal, State};
use crate::remedy::recipes;

/// The ids of the buttons, as they come back in a click.
pub const CONFIRM: &str = "remedy-confirm";
pub const CANCEL: &str = "remedy-cancel";
/// How many pods are named in the first lines; the diff names all.
const NAMED: usize = 3;

/// Returns the message of a proposal as it stands.
pub fn message(proposal: &Proposal, language: Language) -> Message {
    let plan = &proposal.plan;
    let mut parts = vec![Part::Lines(vec![headline(proposal, language), what(plan, language)])];
    parts.extend(body(plan, language));
    if let Some(so_far) = so_far(proposal, language) {
        parts.push(so_far);
    }
    parts.push(Part::Small(small_print(proposal, language)));
    let actions = if proposal.is_open() {
        let button = |id: &str, label: &str, style| Action {
            id: id.to_owned(),
            value: proposal.id.clone(),
            label: label.to_owned(),
            style,
        };
        vec![
            button(CONFIRM, pick(language, "Confirm", "确认执行"), ActionStyle::Danger),
            button(CANCEL, pick(language, "Cancel", "取消"), ActionStyle::Plain),
        ]
    } else {
        vec![]
    };
    Message { parts, actions }
}

/// Returns a plan that a person can carry out by hand: podoctor may not, or the API server objects.
pub fn by_hand(plan: &Plan, why: Option<&Words>, language: Language) -> Message {
    let read_only = Words::new(
        format!(
            "I only read here: `{}` is not switched on in my settings (remedies). This is how to do it by hand:",
            plan.remedy.id()
        ),
        format!("此处我只读：设置（remedies）中未启用 `{}`。可以这样手动执行：", plan.remedy.id()),
    );
    let head =
        vec![plain("🔧 "), Span::Strong(pick(language, "Plan, for you to carry out", "方案，需由你执行").to_owned())];
    let mut parts = vec![Part::Lines(vec![head, what(plan, language)])];
    parts.extend(body(plan, language));
    parts.push(Part::Lines(vec![rich(why.unwrap_or(&read_only).of(language))]));
    let commands: Vec<String> = plan.steps.iter().map(crate::remedy::Step::command).collect();
    parts.push(Part::Code(commands.join("\n")));
    Message { parts, actions: vec![] }
}

/// Returns what the thread says at the end.
pub fn end(proposal: &Proposal, language: Language) -> Message {
    let title = title(&proposal.plan, language);
    let line = match &proposal.state {
        State::Succeeded { outcome, .. } => {
            let mut line = vec![plain(match language {
                Language::English => format!("✅ It helped: {title}: "),
                Language::Chinese => format!("✅ 已生效：{title}："),
            })];
            line.extend(rich(outcome.of(language)));
            line
        }
        State::Failed { why, .. } => {
            let (done, of) = (proposal.done(), proposal.plan.steps.len());
            let mut line = vec![plain(match language {
                Language::English if done == of => format!("❌ It was done, and did not help: {title}: "),
                Language::Chinese if done == of => format!("❌ 已执行，但没有改善：{title}："),
                Language::English => format!("❌ Not carried out ({done} of {of} steps done): {title}: "),
                Language::Chinese => format!("❌ 未执行完（完成 {done}/{of} 步）：{title}："),
            })];
            line.extend(rich(why.of(language)));
            line
        }
        _ => headline(proposal, language),
    };
    let mut confirmed = vec![plain(pick(language, "confirmed by ", "确认者 "))];
    for (i, approval) in proposal.approvals.iter().enumerate() {
        if i > 0 {
            confirmed.push(plain(", "));
        }
        confirmed.push(Span::Person(approval.by.id.clone()));
    }
    Message { parts: vec![Part::Lines(vec![line]), Part::Small(confirmed)], actions: vec![] }
}

fn headline(proposal: &Proposal, language: Language) -> Line {
    let by = |line: &mut Line| {
        for (i, approval) in proposal.approvals.iter().enumerate() {
            line.push(plain(if i == 0 { "" } else { ", " }));
            line.push(Span::Person(approval.by.id.clone()));
        }
    };
    let missing = proposal.approvals_needed.max(1).saturating_sub(proposal.confirmed_by());
    let (sign, state) = match &proposal.state {
        State::Proposed if missing > 1 => (
            "🔧",
            match language {
                Language::English => format!("Plan: {missing} people must confirm it"),
                Language::Chinese => format!("方案：还需 {missing} 人确认"),
            },
        ),
        State::Proposed if proposal.approvals.is_empty() => {
            ("🔧", pick(language, "Plan, to be confirmed", "方案，待确认").to_owned())
        }
        State::Proposed => {
            ("🔧", pick(language, "Plan: one more person must confirm it", "方案：还需一人确认").to_owned())
        }
        State::Executing { .. } => ("⏳", pick(language, "Being carried out", "正在执行").to_owned()),
        State::Verifying { .. } => {
            ("⏳", pick(language, "Done; watching whether it helps", "已执行，正在观察是否有效").to_owned())
        }
        State::Succeeded { .. } => ("✅", pick(language, "Done, and it helped", "已执行，问题已解决").to_owned()),
        State::Failed { .. } if proposal.done() == proposal.plan.steps.len() => {
            ("❌", pick(language, "Done, and it did not help", "已执行，但没有改善").to_owned())
        }
        State::Failed { .. } => ("❌", pick(language, "Not carried out", "未执行").to_owned()),
        State::Expired { .. } => {
            ("⌛", pick(language, "Expired: nobody confirmed it in time", "已过期：无人及时确认").to_owned())
        }
        State::Cancelled { .. } => ("🚫", pick(language, "Withdrawn by ", "已撤回，操作者 ").to_owned()),
    };
    let mut line = vec![plain(format!("{sign} ")), Span::Strong(state)];
    match &proposal.state {
        State::Cancelled { by, .. } => line.push(Span::Person(by.id.clone())),
        _ if !proposal.approvals.is_empty() => {
            line.push(plain(pick(language, ", confirmed by ", "，确认者 ")));
            by(&mut line);
        }
        _ => {}
    }
    line
}

/// Returns what is changed of whom, in a line.
fn what(plan: &Plan, language: Language) -> Line {
    let mut line = vec![Span::Strong(plan.subject.clone()), plain(pick(language, ": ", "："))];
    line.push(plain(title(plan, language)));
    line.push(plain(" ("));
    for (i, step) in plan.steps.iter().take(NAMED).enumerate() {
        line.push(plain(if i == 0 { "" } else { ", " }));
        line.push(Span::Code(step.object.to_string()));
    }
    let more = plan.steps.len().saturating_sub(NAMED);
    line.push(plain(if more == 0 { ")".to_owned() } else { format!(" +{more})") }));
    line
}

/// The change to the letter, what to know before, and the way back.
fn body(plan: &Plan, language: Language) -> Vec<Part> {
    let diffs: Vec<String> = plan.steps.iter().map(crate::remedy::Step::diff).collect();
    let mut parts = vec![Part::Code(diffs.join("\n"))];
    let mut lines: Vec<Line> = plan
        .notes
        .iter()
        .map(|note| {
            let sign = match note.weight {
                Weight::Warning => "⚠️ ",
                Weight::Info => "• ",
            };
            rich(&format!("{sign}{}", note.words.of(language)))
        })
        .collect();
    lines.push(rich(&format!("↩️ {}", plan.undo.of(language))));
    if plan.left_out > 0 {
        lines.push(vec![plain(match language {
            Language::English => {
                format!("{} more pods are ill of the same; propose again when these are done.", plan.left_out)
            }
            Language::Chinese => format!("另有 {} 个 Pod 有同样的问题；这些完成后请再次发起。", plan.left_out),
        })]);
    }
    if !plan.others.is_empty() {
        let others: Vec<&str> = plan.others.iter().map(|remedy| remedy.id()).collect();
        let others = others.join("`, `");
        lines.push(rich(&match language {
            Language::English => format!("More dangerous, and not proposed: `{others}`."),
            Language::Chinese => format!("更危险、未提议的操作：`{others}`。"),
        }));
    }
    parts.push(Part::Lines(lines));
    parts
}

/// Returns how far it has come, once something was sent.
fn so_far(proposal: &Proposal, language: Language) -> Option<Part> {
    let mut lines: Vec<Line> = Vec::new();
    let several = proposal.plan.steps.len() > 1;
    for (step, progress) in proposal.plan.steps.iter().zip(&proposal.progress) {
        let object = step.object.to_string();
        match progress {
            Progress::Done { .. } if several => lines.push(vec![plain("✅ "), Span::Code(object)]),
            Progress::NotDone { why } => {
                lines.push(vec![plain("❌ "), Span::Code(object), plain(format!(": {why}"))]);
            }
            Progress::Sent { .. } if several => lines.push(vec![plain("⏳ "), Span::Code(object)]),
            _ => {}
        }
    }
    match &proposal.state {
        State::Succeeded { outcome, .. } => lines.push(rich(outcome.of(language))),
        State::Failed { why, .. } if lines.is_empty() => lines.push(rich(why.of(language))),
        _ => {}
    }
    (!lines.is_empty()).then_some(Part::Lines(lines))
}

fn small_print(proposal: &Proposal, language: Language) -> Line {
    let plan = &proposal.plan;
    let mut parts = vec![
        vec![plain(format!("{} {}", pick(language, "cluster", "集群"), plan.cluster))],
        vec![plain(plan.cause.clone())],
        vec![plain(pick(language, "proposed by ", "提议者 ")), Span::Person(proposal.by.id.clone())],
    ];
    match &proposal.state {
        State::Proposed => {
            parts.push(vec![plain(pick(language, "expires ", "过期时间 ")), Span::Time(proposal.expires)]);
            parts.push(vec![plain(pick(
                language,
                "the API server has rehearsed it (dry run)",
                "API 服务器已预演（dry run）",
            ))]);
            parts.push(vec![plain(pick(
                language,
                "✅ on this message confirms, ❌ withdraws",
                "用 ✅ 回应即确认，用 ❌ 撤回",
            ))]);
        }
        State::Executing { since: at }
        | State::Verifying { since: at }
        | State::Succeeded { at, .. }
        | State::Failed { at, .. }
        | State::Expired { at }
        | State::Cancelled { at, .. } => parts.push(vec![Span::Time(*at)]),
    }
    dotted(parts)
}

fn title(plan: &Plan, language: Language) -> &'static str {
    recipes::of(plan.remedy).title.of(language)
}

/// Returns what is told of a message that no plan can be made for.
pub fn about_nothing(language: Language) -> Message {
    Message::text([pick(
        language,
        "I do not know what that message is about any more. Ask again, and put 🔧 on the new answer.",
        "我已不记得这条消息的内容。请重新提问，并在新的回答上用 🔧 回应。",
    )])
}

/// Returns that the thread has a plan already.
pub fn already(proposal: &Proposal, language: Language) -> Message {
    let title = title(&proposal.plan, language);
    Message::text([match language {
        Language::English => format!("There is a plan in this thread already: {title}. Confirm or withdraw that one."),
        Language::Chinese => format!("此话题中已有一个方案：{title}。请确认或撤回它。"),
    }])
}

/// Returns that there is nothing to propose, and why.
pub fn none(why: Option<&Words>, language: Language) -> Message {
    let mut lines = vec![vec![plain(pick(
        language,
        "There is nothing here that I could do myself; the fixes in the thread are for people.",
        "这里没有我能自行完成的操作；话题中的处理方法需由人执行。",
    ))]];
    lines.extend(why.map(|why| rich(why.of(language))));
    Message { parts: vec![Part::Lines(lines)], actions: vec![] }
}

/// Returns that something could not be read or kept, so that nothing was done.
pub fn unread(why: &str, language: Language) -> Message {
    Message::text([match language {
        Language::English => format!("Nothing was done: {why}."),
        Language::Chinese => format!("没有执行任何操作：{why}。"),
    }])
}

/// Returns that a plan is not waiting for anybody any more.
pub fn not_open(proposal: &Proposal, language: Language) -> Message {
    let mut line = vec![plain(pick(language, "Nothing was done now: ", "本次没有执行任何操作："))];
    line.extend(headline(proposal, language));
    Message { parts: vec![Part::Lines(vec![line])], actions: vec![] }
}

/// Returns that a person has confirmed already.
pub fn again(language: Language) -> Message {
    Message::text([pick(
        language,
        "You have confirmed it already; another person must as well.",
        "你已经确认过；还需要另一个人确认。",
    )])
}

/// Returns that a button leads nowhere.
pub fn unknown(language: Language) -> Message {
    Message::text([pick(
        language,
        "I do not know this plan. Nothing was done.",
        "我不认识这个方案。没有执行任何操作。",
    )])
}

/// Returns that the settings allow it no longer.
pub fn switched_off(language: Language) -> Message {
    Message::text([pick(
        language,
        "Nothing was done: my settings do not allow this any more (remedies).",
        "没有执行任何操作：我的设置（remedies）已不再允许此操作。",
    )])
}

/// Returns why nothing can be kept, and so nothing be done.
pub fn no_store() -> Words {
    Words::new(
        "I have nowhere to keep a plan, so I cannot carry it out: restart me with this setting. By hand:",
        "我没有可保存方案的地方，因此无法执行：请用此设置重启我。手动执行：",
    )
}

/// Returns which right podoctor lacks.
pub fn no_right(right: &Right) -> Words {
    let Right { verb, group, resource, .. } = right;
    Words::new(
        format!(
            "I lack the right for it: `{{apiGroups: [\"{group}\"], resources: [\"{resource}\"], verbs: [\"{verb}\"]}}` (deploy/README.md). By hand:"
        ),
        format!(
            "我缺少权限：`{{apiGroups: [\"{group}\"], resources: [\"{resource}\"], verbs: [\"{verb}\"]}}`（见 deploy/README.md）。手动执行："
        ),
    )
}

/// Returns what the API server says against it.
pub fn objection(object: &str, why: &str) -> Words {
    Words::new(
        format!(
            "The API server would not do it ({object}): {why}. So there is nothing to confirm; by hand it would be:"
        ),
        format!("API 服务器不会执行它（{object}）：{why}。因此没有可确认的内容；手动执行的命令是："),
    )
}

/// Returns why a plan ended when podoctor did.
pub fn interrupted(done: usize, of: usize) -> Words {
    Words::new(
        format!(
            "I was interrupted after {done} of {of} steps; what was not sent stays undone. Propose again if it is still needed."
        ),
        format!("执行中断：已完成 {done}/{of} 步，未发送的步骤不会再执行。如仍需要，请重新提议。"),
    )
}

/// Returns that nothing is known of how it went.
pub fn nothing_known() -> Words {
    Words::new("nothing is known of how it went", "不清楚执行结果")
}

fn plain(text: impl Into<String>) -> Span {
    Span::Plain(text.into())
}
