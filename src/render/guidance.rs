//! What is said when there is no diagnosis to give: help, refusals, and mistakes with what to do about them.

use super::message::{Line, Message, Part, Reply, Span};
use super::phrase::pick;
use crate::access::Refusal;
use crate::chat::command::Unclear;
use crate::diagnosis::Language;
use jiff::Timestamp;

/// Returns the help.
pub fn help(language: Language) -> Message {
    let rows: [(&str, &str, &str); 11] = [
        (
            "/podoctor prod/manage-5bd...",
            "why is this pod stuck? The start of its name will do",
            "这个 Pod 为什么卡住？名字的开头就够",
        ),
        (
            "/podoctor prod/deploy/manage",
            "a workload (deploy, sts, ds, job, cronjob, rs)",
            "一个工作负载（deploy、sts、ds、job、cronjob、rs）",
        ),
        ("/podoctor prod", "everything that is wrong in a namespace", "一个命名空间里的所有问题"),
        ("/podoctor", "everything that is wrong in the cluster", "集群里的所有问题"),
        ("/podoctor eu-1:prod/web-1", "in another cluster", "在另一个集群里"),
        ("/podoctor causes cgroup-oom", "what a cause means, and what to do", "一个原因的含义和处理方法"),
        (
            "/podoctor silence prod/web 2h known",
            "no alerts of it for a while; unsilence TARGET, silences",
            "暂时不再通知；unsilence 目标、silences",
        ),
        ("/podoctor history prod/web", "what was told of it", "关于它的通知记录"),
        ("/podoctor status", "which clusters I see", "我能看到哪些集群"),
        (
            "@podoctor why is prod/manage-5bd... stuck?",
            "the same in any words, in a thread too",
            "用任何说法都可以，也可在话题中",
        ),
        ("@podoctor again", "in the thread of an alert: diagnose it anew", "在告警的话题中：重新诊断"),
    ];
    let lines: Vec<Line> = rows
        .into_iter()
        .map(|(usage, en, zh)| vec![Span::Code(usage.to_owned()), plain("  "), plain(pick(language, en, zh))])
        .collect();
    Message {
        parts: vec![
            Part::Heading(vec![plain(pick(language, "What I can do", "我能做什么"))]),
            Part::Lines(lines),
            Part::Small(vec![plain(pick(
                language,
                "The shortcut \"Diagnose\" on a message that names a pod, or holds what kubectl describe printed, works as well. 🔧 on an answer or an alert brings the plan of a remedy; I change only what my settings allow and a person confirms (/podoctor status).",
                "也可以在提到 Pod 或贴有 kubectl describe 输出的消息上使用快捷方式 “Diagnose”。用 🔧 回应回答或告警即可得到处理方案；我只做设置允许且经人确认的更改（/podoctor status）。",
            ))]),
        ],
        actions: vec![],
    }
}

/// Returns the reply to a question that has no answer: what was asked, why there is none, what to do.
pub fn sorry(asked: &str, why: &str, asker: Option<&str>, language: Language) -> Reply {
    let mut small = vec![plain(pick(language, "asked by ", "提问者 "))];
    let mut parent = Message {
        parts: vec![Part::Lines(vec![
            vec![plain("⚪ "), Span::Strong(shown(asked)), plain(pick(language, ": no answer", "：没有答案"))],
            vec![plain(why.to_owned())],
        ])],
        actions: vec![],
    };
    if let Some(asker) = asker {
        small.push(Span::Person(asker.to_owned()));
        parent.parts.push(Part::Small(small));
    }
    Reply { parent, thread: vec![how_to_ask(language)] }
}

/// Returns what is said to a question that a restart left unanswered: when it was asked, and to ask again.
pub fn too_late(asked: &str, at: Timestamp, asker: Option<&str>, language: Language) -> Message {
    let mut line = vec![plain("⚪ ")];
    if !asked.is_empty() {
        line.extend([Span::Strong(shown(asked)), plain(pick(language, ": ", "："))]);
    }
    line.push(plain(pick(
        language,
        "I was restarted before I could answer. Ask again if you still want to know.",
        "我在回答之前被重启了。如果仍需要答案，请再问一次。",
    )));
    let mut small = vec![plain(pick(language, "asked at ", "提问时间 ")), Span::Time(at)];
    if let Some(asker) = asker {
        small.extend([plain(pick(language, " by ", "，提问者 ")), Span::Person(asker.to_owned())]);
    }
    Message { parts: vec![Part::Lines(vec![line]), Part::Small(small)], actions: vec![] }
}

/// Returns the note that an answer comes from pasted text and not from a cluster.
pub fn from_text(language: Language) -> Part {
    Part::Small(vec![plain(pick(
        language,
        "Read from the text in the message, not from a cluster; what kubectl does not print is unknown to me.",
        "根据消息中的文本得出，没有读取集群；kubectl 没有输出的内容我无从得知。",
    ))])
}

/// Returns why a pasted text has no answer.
pub fn no_subject(language: Language) -> String {
    pick(
        language,
        "The text tells of no pod and no workload. Paste what kubectl describe pod prints.",
        "这段文本里没有 Pod 或工作负载。请粘贴 kubectl describe pod 的输出。",
    )
    .to_owned()
}

/// Returns why the words of a request could not be understood.
pub fn unclear(unclear: &Unclear, language: Language) -> String {
    match unclear {
        Unclear::Target(error) => match language {
            Language::English => format!("I cannot read that as a target: {error}."),
            Language::Chinese => format!("我无法把它读作目标：{error}。"),
        },
        Unclear::NoLength => pick(
            language,
            "How long? Write /podoctor silence TARGET 2h why; s, m, h and d are known, 30d is the longest.",
            "要静默多久？请写 /podoctor silence 目标 2h 原因；单位可用 s、m、h、d，最长 30d。",
        )
        .to_owned(),
        Unclear::NoTarget => pick(
            language,
            "I see no target in that. Name a pod as NAMESPACE/POD, such as prod/manage-5bd...",
            "我没有看到目标。请用 命名空间/Pod 的形式，例如 prod/manage-5bd...",
        )
        .to_owned(),
    }
}

/// Returns why a person is refused, and who may.
pub fn refused(refusal: &Refusal, language: Language) -> Message {
    let mut line = match refusal {
        Refusal::Stranger => {
            vec![plain(pick(language, "I answer people of this workspace only.", "我只回答本工作区成员的问题。"))]
        }
        Refusal::NotAllowed { who_may } if who_may.is_empty() => vec![plain(pick(
            language,
            "Nobody may ask about this here (setting access.ask).",
            "这里没有人可以查询它（设置 access.ask）。",
        ))],
        Refusal::NotAllowed { .. } => {
            vec![plain(pick(
                language,
                "You may not ask about this here. These may: ",
                "你不能在这里查询它。可以查询的有：",
            ))]
        }
        other => vec![plain(change_refused(other, language))],
    };
    if let Refusal::NotAllowed { who_may } | Refusal::MayNotChange { who_may } = refusal {
        for (i, id) in who_may.iter().enumerate() {
            if i > 0 {
                line.push(plain(", "));
            }
            // Groups are named as text: naming one must not notify all of it.
            line.push(if id.starts_with('S') { Span::Code(id.clone()) } else { Span::Person(id.clone()) });
        }
    }
    Message { parts: vec![Part::Lines(vec![line])], actions: vec![] }
}

fn change_refused(refusal: &Refusal, language: Language) -> String {
    match refusal {
        Refusal::Guest => pick(
            language,
            "Guests may ask, but change nothing. Ask a member of the workspace.",
            "访客可以查询，但不能做任何更改。请联系工作区成员。",
        )
        .to_owned(),
        Refusal::Nobody => pick(
            language,
            "Only people who are members of this workspace may change anything.",
            "只有本工作区的成员才能更改。",
        )
        .to_owned(),
        Refusal::Unsure { why } => match language {
            Language::English => format!("I could not find out whether you may, so nothing is changed: {why}."),
            Language::Chinese => format!("无法确认你是否有权限，因此没有更改任何内容：{why}。"),
        },
        Refusal::MayNotChange { who_may } if who_may.is_empty() => pick(
            language,
            "Nobody may change this here (setting access.act).",
            "这里没有人可以更改它（设置 access.act）。",
        )
        .to_owned(),
        Refusal::MayNotChange { .. } => {
            pick(language, "You may not change this. These may: ", "你不能更改它。可以更改的有：").to_owned()
        }
        Refusal::Kubernetes { user, right } => match language {
            Language::English => format!("Kubernetes does not let {user} do this: it needs {right}."),
            Language::Chinese => format!("Kubernetes 不允许 {user} 执行此操作：需要 {right}。"),
        },
        Refusal::Stranger | Refusal::NotAllowed { .. } => String::new(),
    }
}

/// Returns the hint for a conversation that the bot is no member of.
pub fn invite(language: Language) -> Part {
    // No small print, which keeps an @ from ringing anybody by a blank of no width: this is to be copied.
    Part::Lines(vec![vec![
        plain(pick(
            language,
            "I am no member of this conversation, so I cannot keep a thread here. To change that: ",
            "我不是此会话的成员，无法在这里保留话题。解决方法：",
        )),
        Span::Code("/invite @podoctor".to_owned()),
    ]])
}

fn how_to_ask(language: Language) -> Message {
    Message {
        parts: vec![
            Part::Lines(vec![vec![plain(pick(language, "Ask like this:", "可以这样问："))]]),
            Part::Code(
                "/podoctor prod/manage-5bd...      a pod, by the start of its name\n\
                 /podoctor prod/deploy/manage      a workload\n\
                 /podoctor prod                    a namespace\n\
                 /podoctor help                    everything else"
                    .to_owned(),
            ),
        ],
        actions: vec![],
    }
}

/// Returns what a person wrote, short enough to be repeated.
fn shown(text: &str) -> String {
    const LIMIT: usize = 120;
    let clean: String = text.chars().filter(|c| !c.is_control()).take(LIMIT).collect();
    if text.chars().count() > LIMIT { format!("{clean}…") } else { clean }
}

fn plain(text: impl Into<String>) -> Span {
    Span::Plain(text.into())
}
