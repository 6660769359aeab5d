//! Messages as runtimes, kubelets and registries word them, each with what must be read out of it: `samples.txt`.
//!
//! One line each: the reading, a part of the expected value, the message. A wording met in the field is added there.

use super::{image, mount, runtime, sandbox};

#[test]
fn every_sample_is_read_as_it_says() {
    let mut wrong = Vec::new();
    for line in include_str!("samples.txt").lines() {
        let mut parts = line.splitn(3, '|');
        let (Some(reading), Some(expected), Some(text)) = (parts.next(), parts.next(), parts.next()) else {
            panic!("not `reading|expected|message`: {line}");
        };
        let read = match reading {
            "image" => format!("{:?}", image::pull_failure(text)),
            "sandbox" => format!("{:?}", sandbox::sandbox_failure(text)),
            "mount" => format!("{:?}", mount::mount_error(text).failure),
            "attach" => format!("{:?}", mount::attach_error(text).failure),
            "runtime" => format!("{:?}", runtime::start_failure(text)),
            other => panic!("unknown reading {other}"),
        };
        if !read.contains(expected) {
            wrong.push(format!("{expected}, not {read}: {text}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
