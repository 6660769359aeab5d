//! Settings that change while the bot runs.

use super::bot::{Bot, Setup};
use super::chat::{Chat, workspace};
use super::data::kubeconfig_at;
use podoctor::playground::slack::Config;

async fn logs(bot: &Bot, words: &str) {
    bot.until(words, |bot| bot.log().contains(words).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changed_settings_are_in_force_without_a_restart_and_bad_ones_are_refused() {
    let slack = workspace(Config::default()).await;
    let kubeconfig = kubeconfig_at("http://127.0.0.1:9");
    let setup = Setup::of(&slack, &[("prod", kubeconfig.path())]);
    let yaml = setup.yaml.clone();
    let chat = Chat::of(slack, &setup).await;
    let english = chat.alice().types("/podoctor help").await.whispered();
    assert!(english.is_ascii() || !english.contains('的'), "{english}");

    chat.bot.rewrite_settings(&format!("{yaml}language: zh-CN\n"));
    logs(&chat.bot, "new settings are in force: language").await;
    let chinese = chat.alice().types("/podoctor help").await.whispered();
    assert!(chinese.contains('的') && chinese != english, "{chinese}");

    chat.bot.rewrite_settings(&format!("{yaml}langauge: en\n"));
    logs(&chat.bot, "the old ones stay in force").await;
    logs(&chat.bot, "langauge: unknown key; did you mean `language`?").await;
    assert_eq!(chat.alice().types("/podoctor help").await.whispered(), chinese);

    chat.bot.rewrite_settings(&yaml.replace("127.0.0.1:0", "127.0.0.1:1"));
    logs(&chat.bot, "these settings changed and need a restart: http.listen").await;
    assert_eq!(chat.alice().types("/podoctor help").await.whispered(), english);
}
