//! How a fit is told: groups of nodes, why each does not take the pod, and by how much.

use super::{Fit, Misfit, NodeFit};
use crate::diagnosis::Words;
use crate::facts::{Evidence, node, quantity};
use std::collections::BTreeMap;

impl<'w> Fit<'w> {
    /// Says for each group of nodes why it does not fit and by how much; the biggest group first.
    pub fn words(&self) -> Words {
        let mut groups: BTreeMap<Vec<(u8, String)>, Vec<&NodeFit<'w>>> = BTreeMap::new();
        for fit in &self.nodes {
            groups.entry(fit.misfits.iter().map(sort_key).collect()).or_default().push(fit);
        }
        let mut groups: Vec<_> = groups.into_values().collect();
        groups.sort_by_key(|fits| std::cmp::Reverse(fits.len()));
        let total = self.nodes.len();
        let more = groups.len().saturating_sub(6);
        let (mut en, mut zh) = (Vec::new(), Vec::new());
        for (i, fits) in groups.iter().take(6).enumerate() {
            let reasons = reasons(fits);
            let count = fits.len();
            if i == 0 {
                en.push(format!("{count} of {total} node{}: {}", plural(total), reasons.en));
                zh.push(format!("{total} 个节点中 {count} 个：{}", reasons.zh));
            } else {
                en.push(format!("{count}: {}", reasons.en));
                zh.push(format!("{count} 个：{}", reasons.zh));
            }
        }
        if more > 0 {
            en.push(format!("and {more} more groups"));
            zh.push(format!("另有 {more} 组"));
        }
        Words::new(en.join("; "), zh.join("；"))
    }

    /// Returns the words as evidence.
    pub fn evidence(&self) -> Evidence {
        let scope = if self.all_pods_read { "" } else { ", as far as their pods were read" };
        Evidence::field(format!("nodes, computed from their objects{scope}"), self.words().en, None)
    }
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// Nodes with the same key stand in one group: amounts do not count.
fn sort_key(misfit: &Misfit<'_>) -> (u8, String) {
    match misfit {
        Misfit::Cordoned => (0, String::new()),
        Misfit::Taint(taint) => (1, node::taint_text(taint)),
        Misfit::Labels(misses) => (2, misses.iter().map(|miss| miss.wanted.as_str()).collect::<Vec<_>>().join(", ")),
        Misfit::Short { resource, unknown, .. } => (3, format!("{resource}{}", if *unknown { "?" } else { "" })),
        Misfit::HostPort { port, .. } => (4, port.to_string()),
        Misfit::Volume { volume, .. } => (5, volume.clone()),
    }
}

/// Says what holds for a group; amounts are the smallest of the group, since that node is the nearest.
fn reasons(fits: &[&NodeFit<'_>]) -> Words {
    let Some(first) = fits.first() else { return Words::new("", "") };
    if first.misfits.is_empty() {
        return Words::new("fits", "可以容纳");
    }
    let (mut en, mut zh) = (Vec::new(), Vec::new());
    for (i, misfit) in first.misfits.iter().enumerate() {
        let words = match misfit {
            Misfit::Short { resource, unknown: false, .. } => {
                let short = fits
                    .iter()
                    .filter_map(|fit| match fit.misfits.get(i) {
                        Some(Misfit::Short { wanted, free, .. }) => Some(wanted - free),
                        _ => None,
                    })
                    .fold(f64::INFINITY, f64::min);
                short_words(resource, short, fits.len() > 1)
            }
            misfit => misfit.words(),
        };
        en.push(words.en);
        zh.push(words.zh);
    }
    Words::new(en.join(", "), zh.join("，"))
}

fn short_words(resource: &str, short: f64, at_least: bool) -> Words {
    if resource == "pods" {
        return Words::new("no pod slot left", "Pod 数量已满");
    }
    let amount = quantity::amount(resource, short);
    let least = if at_least { ("at least ", "至少") } else { ("", "") };
    let name = resource_zh(resource);
    Words::new(format!("{}{amount} of {resource} short", least.0), format!("{name}{}缺 {amount}", least.1))
}

/// Returns the resource's usual name in Chinese.
pub fn resource_zh(resource: &str) -> &str {
    match resource {
        "memory" => "内存",
        "cpu" => "CPU ",
        "ephemeral-storage" => "临时存储",
        "pods" => "Pod 数量",
        other => other,
    }
}

impl Misfit<'_> {
    /// Says the reason in a few words.
    pub fn words(&self) -> Words {
        match self {
            Misfit::Cordoned => Words::new("cordoned", "已被 cordon（不可调度）"),
            Misfit::Taint(taint) => {
                let text = node::taint_text(taint);
                Words::new(format!("taint {text}"), format!("污点 {text}"))
            }
            Misfit::Labels(misses) => {
                let en = misses.iter().map(|miss| match &miss.has {
                    Some(has) => format!("label {} wanted, it has {}={has}", miss.wanted, miss.key),
                    None => format!("label {} missing", miss.wanted),
                });
                let zh = misses.iter().map(|miss| match &miss.has {
                    Some(has) => format!("要求标签 {}，实际为 {}={has}", miss.wanted, miss.key),
                    None => format!("缺少标签 {}", miss.wanted),
                });
                Words::new(en.collect::<Vec<_>>().join(", "), zh.collect::<Vec<_>>().join("，"))
            }
            Misfit::Short { resource, unknown: true, .. } => {
                Words::new(format!("has no {resource} at all"), format!("完全没有 {resource} 资源"))
            }
            Misfit::Short { resource, wanted, free, .. } => short_words(resource, wanted - free, false),
            Misfit::HostPort { port, holder } => {
                Words::new(format!("host port {port} taken by {holder}"), format!("主机端口 {port} 被 {holder} 占用"))
            }
            Misfit::Volume { volume, wants } => Words::new(
                format!("volume {volume} is only reachable with {wants}"),
                format!("卷 {volume} 只能在 {wants} 的节点上访问"),
            ),
        }
    }
}
