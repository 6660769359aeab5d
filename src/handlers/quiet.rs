//! Silences and the history: what people ask of the watch by command.

use super::clusters::Clusters;
use super::watching::{Again, Ask, Event};
use crate::chat::command::Request;
use crate::chat::front::Place;
use crate::diagnosis::Language;
use crate::render::alert;
use crate::render::message::{Message, Part, Span};
use crate::render::phrase::pick;
use crate::target::Target;
use crate::watch::incident::Address;
use crate::watch::silence::Silence;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, oneshot};

/// Does what is asked and returns what to say.
///
/// # Errors
/// Says in a sentence why it cannot be done.
pub async fn answer(
    watch: Option<&mpsc::Sender<Event>>,
    clusters: &Clusters,
    request: &Request,
    by: &str,
    now: Timestamp,
    language: Language,
) -> Result<Message, String> {
    let nobody = pick(
        language,
        "I watch nothing here: set slack.default_channel or routes in my settings.",
        "我没有在监视：请在设置中配置 slack.default_channel 或 routes。",
    );
    let watch = watch.ok_or_else(|| nobody.to_owned())?;
    let cluster = |target: &Target| match clusters.get(target.cluster.as_deref()) {
        Ok(cluster) => Ok(cluster.name.clone()),
        Err(error) => Err(format!("{error}.")),
    };
    match request {
        Request::Silence { target, length, why } => {
            let until = SignedDuration::try_from(*length).ok().and_then(|length| now.checked_add(length).ok());
            let silence = Silence {
                id: format!("silence-{:x}-{by}", now.as_nanosecond()),
                target: plain_target(target),
                cluster: cluster(target)?,
                subject: None,
                until: until.unwrap_or(Timestamp::MAX),
                by: by.to_owned(),
                at: now,
                why: why.clone(),
            };
            heard(watch, |done| Ask::Silence { silence: silence.clone(), done }, nobody).await?;
            let line = vec![
                Span::Plain("🔕 ".into()),
                Span::Code(silence.target),
                Span::Plain(pick(language, " is silenced", " 已静默").into()),
            ];
            let until = vec![
                Span::Plain(pick(language, "until ", "至 ").into()),
                Span::Time(silence.until),
                Span::Plain(pick(language, ", by ", "，操作者 ").into()),
                Span::Person(by.to_owned()),
            ];
            Ok(Message { parts: vec![Part::Lines(vec![line]), Part::Small(until)], actions: vec![] })
        }
        Request::Unsilence(target) => {
            let (cluster, target) = (cluster(target)?, plain_target(target));
            let ended =
                heard(watch, |done| Ask::Unsilence { cluster: cluster.clone(), target: target.clone(), done }, nobody)
                    .await?;
            Ok(Message::text([match (language, ended) {
                (Language::English, 0) => format!("There is no silence for {target}; /podoctor silences lists them."),
                (Language::Chinese, 0) => format!("{target} 没有静默；/podoctor silences 列出全部。"),
                (Language::English, _) => format!("🔔 {target} is heard again."),
                (Language::Chinese, _) => format!("🔔 {target} 已恢复通知。"),
            }]))
        }
        Request::History(target) => {
            let (cluster, target) = (cluster(target)?, plain_target(target));
            let found =
                heard(watch, |done| Ask::History { cluster: cluster.clone(), target: target.clone(), done }, nobody)
                    .await?;
            Ok(alert::history(&target, &found, now, language))
        }
        _ => Ok(alert::silences(&heard(watch, |done| Ask::Silences { done }, nobody).await?, language)),
    }
}

/// Has the incident of a thread diagnosed anew, and returns what to say at once.
pub async fn again(watch: Option<&mpsc::Sender<Event>>, place: &Place, language: Language) -> Message {
    let no_alert = pick(
        language,
        "Say that in the thread of an alert; or name what to diagnose: @podoctor prod/web",
        "请在告警的话题中说这句话；或直接指明目标：@podoctor prod/web",
    );
    let (Some(watch), Some(thread)) = (watch, &place.thread) else { return Message::text([no_alert]) };
    let message = Address { channel: place.channel.clone(), id: thread.clone() };
    let words = match heard(watch, |done| Ask::Again { message, done }, no_alert).await {
        Ok(Again::Asked) => pick(language, "🔁 Diagnosing it anew …", "🔁 正在重新诊断……"),
        Ok(Again::NothingIsWrong) => {
            pick(language, "None of its pods is in trouble any more.", "相关 Pod 均已无异常。")
        }
        Ok(Again::NoAlert) | Err(_) => no_alert,
    };
    Message::text([words])
}

/// Returns a target without its cluster.
fn plain_target(target: &Target) -> String {
    Target { cluster: None, what: target.what.clone() }.to_string()
}

async fn heard<T>(
    watch: &mpsc::Sender<Event>,
    ask: impl FnOnce(oneshot::Sender<T>) -> Ask,
    nobody: &str,
) -> Result<T, String> {
    let (done, answer) = oneshot::channel();
    watch.send(Event::Asked(ask(done))).await.map_err(|_| nobody.to_owned())?;
    answer.await.map_err(|_| nobody.to_owned())
}
