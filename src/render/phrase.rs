//! Small phrases that many messages share: durations, states, certainty.

use crate::diagnosis::{Certainty, Language, Risk, Verdict};
use jiff::SignedDuration;

/// Returns a duration as people say it, in at most two units: `18 min`, `2 h 5 min`, `3 d`.
pub fn duration(duration: SignedDuration, language: Language) -> String {
    let seconds = duration.as_secs().max(0);
    let units: [(i64, &str, &str); 4] =
        [(86_400, "d", "天"), (3_600, "h", "小时"), (60, "min", "分钟"), (1, "s", "秒")];
    let mut parts = Vec::new();
    let mut rest = seconds;
    for (size, en, zh) in units {
        let count = rest / size;
        // A second unit only where it tells something: 2 h 5 min, but 18 min and not 18 min 3 s.
        let told = match (parts.is_empty(), size) {
            (true, _) => count > 0,
            (false, 1) => false,
            (false, _) => count > 0 && parts.len() < 2,
        };
        if told {
            parts.push(match language {
                Language::English => format!("{count} {en}"),
                Language::Chinese => format!("{count} {zh}"),
            });
            rest -= count * size;
        } else if !parts.is_empty() {
            break;
        }
    }
    if parts.is_empty() {
        return match language {
            Language::English => "0 s".to_owned(),
            Language::Chinese => "0 秒".to_owned(),
        };
    }
    parts.join(" ")
}

/// Returns the coloured sign of a verdict; a word always stands beside it.
pub fn sign(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Sick => "🔴",
        Verdict::Waiting => "🟡",
        Verdict::Healthy | Verdict::Completed => "🟢",
        Verdict::Unknown => "⚪",
    }
}

/// Returns the word of a verdict.
pub fn verdict(verdict: Verdict, language: Language) -> &'static str {
    match (language, verdict) {
        (Language::English, Verdict::Sick) => "sick",
        (Language::English, Verdict::Waiting) => "waiting, within its normal time",
        (Language::English, Verdict::Healthy) => "healthy",
        (Language::English, Verdict::Completed) => "completed",
        (Language::English, Verdict::Unknown) => "unknown: I could not tell",
        (Language::Chinese, Verdict::Sick) => "异常",
        (Language::Chinese, Verdict::Waiting) => "等待中，仍在正常时间内",
        (Language::Chinese, Verdict::Healthy) => "正常",
        (Language::Chinese, Verdict::Completed) => "已完成",
        (Language::Chinese, Verdict::Unknown) => "未知：无法判断",
    }
}

/// Returns the word that stands before a summary; empty where it is confirmed.
pub fn certainty(certainty: Certainty, language: Language) -> &'static str {
    match (language, certainty) {
        (_, Certainty::Confirmed) => "",
        (Language::English, Certainty::Likely) => "Likely: ",
        (Language::English, Certainty::Possible) => "Possible, not sure: ",
        (Language::Chinese, Certainty::Likely) => "很可能：",
        (Language::Chinese, Certainty::Possible) => "有可能，不确定：",
    }
}

/// Returns the word for what a fix may break.
pub fn risk(risk: Risk, language: Language) -> &'static str {
    match (language, risk) {
        (Language::English, Risk::Safe) => "safe",
        (Language::English, Risk::Careful) => "careful",
        (Language::English, Risk::Dangerous) => "dangerous",
        (Language::Chinese, Risk::Safe) => "安全",
        (Language::Chinese, Risk::Careful) => "谨慎",
        (Language::Chinese, Risk::Dangerous) => "危险",
    }
}

/// Returns the text of a language.
pub fn pick<'a>(language: Language, en: &'a str, zh: &'a str) -> &'a str {
    match language {
        Language::English => en,
        Language::Chinese => zh,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_durations_as_people_do() {
        for (seconds, en, zh) in [
            (0, "0 s", "0 秒"),
            (59, "59 s", "59 秒"),
            (1_083, "18 min", "18 分钟"),
            (7_500, "2 h 5 min", "2 小时 5 分钟"),
            (86_400 * 3, "3 d", "3 天"),
            (90_000, "1 d 1 h", "1 天 1 小时"),
        ] {
            assert_eq!(duration(SignedDuration::from_secs(seconds), Language::English), en);
            assert_eq!(duration(SignedDuration::from_secs(seconds), Language::Chinese), zh);
        }
    }
}
