//! The page itself: a few files inside the binary, under a policy that lets nothing else in.

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::Workspace;

/// Scripts and styles from here alone; images may not be fetched from the addresses in messages.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const INDEX: &str = include_str!("../../page/index.html");
const STYLE: &str = include_str!("../../page/style.css");
const SCRIPTS: &[(&str, &str)] = &[
    ("/page/app.js", include_str!("../../page/app.js")),
    ("/page/blocks.js", include_str!("../../page/blocks.js")),
    ("/page/composer.js", include_str!("../../page/composer.js")),
    ("/page/dialogs.js", include_str!("../../page/dialogs.js")),
    ("/page/dom.js", include_str!("../../page/dom.js")),
    ("/page/emoji.js", include_str!("../../page/emoji.js")),
    ("/page/guide.js", include_str!("../../page/guide.js")),
    ("/page/list.js", include_str!("../../page/list.js")),
];

pub fn router() -> Router<Workspace> {
    let mut router = Router::new()
        .route("/", get(index))
        .route("/archives/{channel}", get(index))
        .route("/archives/{channel}/{message}", get(index))
        .route("/page/style.css", get(|| async { asset("text/css; charset=utf-8", STYLE) }))
        // Browsers ask for it; there is an icon in the page's head.
        .route("/favicon.ico", get(|| async { StatusCode::NO_CONTENT }));
    for &(path, script) in SCRIPTS {
        router = router.route(path, get(move || async move { asset("text/javascript; charset=utf-8", script) }));
    }
    router
}

async fn index() -> Response {
    asset("text/html; charset=utf-8", INDEX)
}

fn asset(kind: &'static str, text: &'static str) -> Response {
    let headers = [
        (CONTENT_TYPE, kind),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
    ];
    (headers, text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The files of the page, read from the folder they are in.
    fn scripts_on_disk() -> Vec<(String, String)> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/playground/page");
        let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
            .into_iter()
            .filter(|path| path.extension().is_some_and(|extension| extension == "js"))
            .map(|path| {
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                (format!("/page/{name}"), std::fs::read_to_string(path).unwrap())
            })
            .collect()
    }

    #[test]
    fn every_script_is_served() {
        let served: Vec<_> = SCRIPTS.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        assert_eq!(served, scripts_on_disk());
    }

    /// What a message says must never be read as markup or code.
    #[test]
    fn no_text_becomes_markup() {
        let ways =
            ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "srcdoc"];
        for (path, text) in scripts_on_disk() {
            for way in ways {
                assert!(!text.contains(way), "{path} uses {way}");
            }
        }
    }
}
