//! How long a pod may be in a state before it is told: from settings, and from the pod's own annotation.

use super::stuck::Symptom;
use crate::facts::lean::LeanPod;
use crate::settings::{HumanDuration, Override, Thresholds, Watch, pattern};
use jiff::SignedDuration;
use std::collections::BTreeMap;

/// The annotation of a pod that overrides a threshold: `podoctor.dev/threshold-pending: 10m`.
const ANNOTATION: &str = "podoctor.dev/threshold-";

/// Returns the threshold of a pod for a symptom.
///
/// The pod's annotation counts first, then the first override of the settings that fits, then the settings. An annotation
/// that is no duration is as good as none: a typing error must not switch an alert off.
pub fn of(pod: &LeanPod, symptom: Symptom, watch: &Watch) -> SignedDuration {
    let by_rule = || {
        let fitting = watch.overrides.iter().filter(|rule| {
            pattern::covers(&rule.namespaces, pod.namespace())
                && pattern::selects(&rule.labels, |name| pod.metadata.labels.as_ref()?.get(name).map(String::as_str))
        });
        fitting.filter_map(|rule| overridden(rule, symptom)).next()
    };
    own(pod, symptom).unwrap_or_else(|| signed(by_rule().unwrap_or_else(|| general(&watch.thresholds, symptom))))
}

/// Returns what the pod's own annotation says.
pub fn own(pod: &LeanPod, symptom: Symptom) -> Option<SignedDuration> {
    annotated(pod.metadata.annotations.as_ref()?, symptom)
}

/// Returns what annotations say of a symptom.
pub fn annotated(annotations: &BTreeMap<String, String>, symptom: Symptom) -> Option<SignedDuration> {
    let said = annotations.get(&format!("{ANNOTATION}{}", symptom.word()))?;
    said.parse::<HumanDuration>().ok().map(signed)
}

fn signed(duration: HumanDuration) -> SignedDuration {
    SignedDuration::try_from(duration.get()).unwrap_or(SignedDuration::MAX)
}

fn overridden(rule: &Override, symptom: Symptom) -> Option<HumanDuration> {
    match symptom {
        Symptom::Pending => rule.pending,
        Symptom::Creating => rule.creating,
        Symptom::Terminating => rule.terminating,
        Symptom::NotReady => rule.not_ready,
        Symptom::CrashLooping => rule.crash_looping,
        Symptom::Unknown => rule.unknown,
    }
}

fn general(thresholds: &Thresholds, symptom: Symptom) -> HumanDuration {
    match symptom {
        Symptom::Pending => thresholds.pending,
        Symptom::Creating => thresholds.creating,
        Symptom::Terminating => thresholds.terminating,
        Symptom::NotReady => thresholds.not_ready,
        Symptom::CrashLooping => thresholds.crash_looping,
        Symptom::Unknown => thresholds.unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(annotations: &str) -> LeanPod {
        let yaml = format!(
            "metadata: {{name: a, namespace: team-a, labels: {{tier: batch}}, annotations: {{{annotations}}}}}"
        );
        serde_saphyr::from_str(&yaml).expect("a pod")
    }

    #[test]
    fn the_pods_own_word_goes_before_the_settings() {
        let mut watch = Watch::default();
        assert_eq!(of(&pod(""), Symptom::Pending, &watch), SignedDuration::from_mins(5));
        watch.overrides.push(Override {
            namespaces: vec!["team-*".into()],
            labels: [("tier".to_owned(), "bat*".to_owned())].into(),
            pending: Some(HumanDuration::minutes(30)),
            ..Override::default()
        });
        assert_eq!(of(&pod(""), Symptom::Pending, &watch), SignedDuration::from_mins(30));
        assert_eq!(of(&pod(""), Symptom::NotReady, &watch), SignedDuration::from_mins(10));
        assert_eq!(
            of(&pod("podoctor.dev/threshold-pending: 90s"), Symptom::Pending, &watch),
            SignedDuration::from_secs(90)
        );
        assert_eq!(
            of(&pod("podoctor.dev/threshold-pending: soon"), Symptom::Pending, &watch),
            SignedDuration::from_mins(30)
        );
    }
}
