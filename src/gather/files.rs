//! A world from files and folders: `kubectl get -o yaml`, `kubectl cluster-info dump`, must-gather, our own bundles.
//!
//! Nothing in a file stops the rest: what cannot be read is told with file and line, and its kind is unreadable.

use super::bundle;
use super::snapshot::{self, Mishap};
use crate::facts::World;
use crate::facts::intake::Met;
use crate::facts::log::ContainerLog;
use crate::facts::pasted::{self, Pasted};
use crate::facts::world::Readings;
use crate::target::Target;
use jiff::Timestamp;
use std::io::Read;
use std::path::{Path, PathBuf};

/// How much of a log's end is kept, in bytes: enough for the last lines of any crash.
const LOG_TAIL: usize = 64 * 1024;
/// A larger file is no set of Kubernetes objects that one would diagnose from.
const LARGEST_FILE: u64 = 1 << 30;

/// A file of a folder that is larger was not printed for people.
const LARGEST_PASTE: u64 = 16 << 20;

/// What was found in files.
#[derive(Debug, Default)]
pub struct Snapshot {
    pub world: World,
    /// The newest time that any object tells; `None` = none does.
    pub newest: Option<Timestamp>,
    /// What a text pasted from kubectl is about, or what objects there are; `None` = no pod and no workload.
    pub about: Option<Target>,
    /// What could not be read: file, line, reason.
    pub mishaps: Vec<FileMishap>,
}

/// A file, or a part of one, that could not be read.
#[derive(Debug, Clone)]
pub struct FileMishap {
    pub path: PathBuf,
    pub line: Option<usize>,
    pub message: String,
}

impl std::fmt::Display for FileMishap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.path.display(), self.message),
            None => write!(f, "{}: {}", self.path.display(), self.message),
        }
    }
}

/// Reads files and folders into one world; `-` is standard input.
pub fn read(paths: &[PathBuf]) -> Snapshot {
    read_at(paths, None)
}

/// Reads files and folders as they were at a moment. The ages in kubectl's text count back from it; without one they
/// count back from the file's own time, and from now for standard input.
pub fn read_at(paths: &[PathBuf], at: Option<Timestamp>) -> Snapshot {
    let mut reader = Reader { at, ..Reader::default() };
    for path in paths {
        if path.as_os_str() == "-" {
            let mut bytes = Vec::new();
            match std::io::stdin().read_to_end(&mut bytes) {
                Ok(_) => reader.text(path, &decoded(bytes), at.unwrap_or_else(Timestamp::now)),
                Err(error) => reader.mishap(path, None, error.to_string()),
            }
        } else {
            reader.path(path, true);
        }
    }
    reader.finish()
}

#[derive(Default)]
struct Reader {
    snapshot: Snapshot,
    met: Met,
    pasted: Pasted,
    at: Option<Timestamp>,
    /// How far the reading of a bundle went, by its own word.
    readings: Option<Readings>,
}

impl Reader {
    fn path(&mut self, path: &Path, named: bool) {
        let entries = match std::fs::metadata(path) {
            Ok(meta) if meta.is_dir() => std::fs::read_dir(path),
            Ok(meta) if meta.len() > LARGEST_FILE => return self.mishap(path, None, "larger than 1 GiB".to_owned()),
            Ok(_) => return self.file(path, named),
            Err(error) => return self.mishap(path, None, error.to_string()),
        };
        match entries {
            Ok(entries) => {
                let mut paths: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|e| e.path())).collect();
                paths.sort();
                for path in paths {
                    self.path(&path, false);
                }
            }
            Err(error) => self.mishap(path, None, error.to_string()),
        }
    }

    fn file(&mut self, path: &Path, named: bool) {
        if let Some(place) = LogPlace::of(path) {
            return match std::fs::read(path) {
                Ok(bytes) => self.log(place, &tail(&bytes)),
                Err(error) => self.mishap(path, None, error.to_string()),
            };
        }
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        let is_objects = matches!(extension, "yaml" | "yml" | "json");
        let meta = std::fs::metadata(path);
        if !named && !is_objects && meta.as_ref().is_ok_and(|meta| meta.len() > LARGEST_PASTE) {
            return;
        }
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) => return self.mishap(path, None, error.to_string()),
        };
        let text = decoded(bytes);
        if path.ends_with(bundle::READINGS) {
            return match serde_json::from_str(&text) {
                Ok(readings) => self.readings = Some(readings),
                Err(error) => self.mishap(path, Some(error.line()), error.to_string()),
            };
        }
        // A folder holds many things beside; what is no object and not kubectl's is passed over.
        if !named && !is_objects && !pasted::is_pasted(&text) {
            return;
        }
        let written = meta.and_then(|meta| meta.modified()).ok().and_then(|time| Timestamp::try_from(time).ok());
        let printed = self.at.or(written).unwrap_or_else(Timestamp::now);
        self.text(path, &text, printed);
    }

    /// Takes in a text: objects, or what kubectl printed for people at that moment, or both.
    fn text(&mut self, path: &Path, text: &str, printed: Timestamp) {
        if !pasted::is_pasted(text) {
            return self.objects(path, text);
        }
        for objects in self.pasted.read(text, printed) {
            self.objects(path, &objects);
        }
        self.snapshot.newest = self.snapshot.newest.max(Some(printed));
    }

    fn objects(&mut self, path: &Path, text: &str) {
        for Mishap { line, message } in
            snapshot::take_text(&mut self.snapshot.world, &mut self.met, &mut self.snapshot.newest, text)
        {
            self.mishap(path, line, message);
        }
    }

    fn log(&mut self, place: LogPlace, text: &str) {
        if place.part == LogPart::Dump {
            for (container, text) in dumped_logs(text) {
                let key = (place.namespace.clone(), place.pod.clone(), container.to_owned());
                self.snapshot.world.logs.entry(key).or_default().current = Some(text.to_owned());
            }
            return;
        }
        let log: &mut ContainerLog =
            self.snapshot.world.logs.entry((place.namespace, place.pod, place.container)).or_default();
        match place.part {
            LogPart::Current | LogPart::Dump => log.current = Some(text.to_owned()),
            LogPart::Previous => log.previous = Some(text.to_owned()),
            LogPart::Error => log.error = Some(text.trim().to_owned()),
        }
    }

    fn mishap(&mut self, path: &Path, line: Option<usize>, message: String) {
        self.snapshot.mishaps.push(FileMishap { path: path.to_owned(), line, message });
    }

    fn finish(mut self) -> Snapshot {
        let world = &mut self.snapshot.world;
        match self.readings {
            Some(readings) => world.set_readings(readings),
            None => world.conclude(&self.met),
        }
        let (subjects, namespaces) = (self.pasted.subjects(), self.pasted.namespaces());
        for mishap in std::mem::take(&mut self.pasted).finish(world) {
            self.snapshot.mishaps.push(FileMishap { path: "pasted text".into(), line: None, message: mishap });
        }
        self.snapshot.about = super::pasted::about(world, &subjects, &namespaces);
        world.sort_events();
        for mishap in &self.snapshot.mishaps {
            let name = mishap.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            world.note_unread(name, mishap.message.clone());
        }
        self.snapshot
    }
}

#[derive(Debug, PartialEq, Eq)]
enum LogPart {
    Current,
    Previous,
    Error,
    /// `logs.txt` of `kubectl cluster-info dump`: every container's log in one file.
    Dump,
}

#[derive(Debug, PartialEq, Eq)]
struct LogPlace {
    namespace: String,
    pod: String,
    container: String,
    part: LogPart,
}

impl LogPlace {
    /// Tells from its path whose log a file is; `None` = it is none.
    fn of(path: &Path) -> Option<Self> {
        let parts: Vec<&str> = path.iter().rev().take(8).filter_map(|part| part.to_str()).collect();
        let place = |namespace: &str, pod: &str, container: &str, part| {
            Some(Self { namespace: namespace.into(), pod: pod.into(), container: container.into(), part })
        };
        match parts[..] {
            // logs/<namespace>/<pod>/<container>[.previous].log, <container>.error
            [file, pod, namespace, "logs", ..] => {
                let (stem, part) = if let Some(stem) = file.strip_suffix(".previous.log") {
                    (stem, LogPart::Previous)
                } else if let Some(stem) = file.strip_suffix(".log") {
                    (stem, LogPart::Current)
                } else {
                    (file.strip_suffix(".error")?, LogPart::Error)
                };
                place(namespace, pod, stem, part)
            }
            // must-gather: namespaces/<namespace>/pods/<pod>/<container>/<container>/logs/current.log
            ["current.log", "logs", _, container, pod, "pods", namespace, ..] => {
                place(namespace, pod, container, LogPart::Current)
            }
            ["previous.log", "logs", _, container, pod, "pods", namespace, ..] => {
                place(namespace, pod, container, LogPart::Previous)
            }
            // cluster-info dump: <namespace>/<pod>/logs.txt
            ["logs.txt", pod, namespace, ..] => place(namespace, pod, "", LogPart::Dump),
            _ => None,
        }
    }
}

/// Splits `logs.txt` of a cluster-info dump by its `==== START logs for container X of pod NS/POD ====` lines.
fn dumped_logs(text: &str) -> Vec<(&str, &str)> {
    let mut logs = Vec::new();
    for part in text.split("==== START logs for container ").skip(1) {
        let Some((head, body)) = part.split_once(" ====") else { continue };
        let container = head.split(" of pod ").next().unwrap_or_default();
        let body = body.split("==== END logs for container ").next().unwrap_or(body);
        logs.push((container, body.trim_start_matches(['\r', '\n'])));
    }
    logs
}

/// Decodes a text; PowerShell writes UTF-16 where others write UTF-8.
fn decoded(bytes: Vec<u8>) -> String {
    let bytes = match String::from_utf8(bytes) {
        Ok(text) if !text.starts_with('\u{feff}') => return text,
        Ok(text) => text.into_bytes(),
        Err(error) => error.into_bytes(),
    };
    let wide = |of: fn([u8; 2]) -> u16| {
        let units = bytes[2..].as_chunks::<2>().0.iter().map(|pair| of(*pair));
        char::decode_utf16(units).map(|sign| sign.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
    };
    match bytes[..] {
        [0xff, 0xfe, ..] => wide(u16::from_le_bytes),
        [0xfe, 0xff, ..] => wide(u16::from_be_bytes),
        _ => String::from_utf8_lossy(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes)).into_owned(),
    }
}

/// Returns the end of a log, whatever its encoding.
fn tail(bytes: &[u8]) -> String {
    match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            let text = decoded(bytes.to_vec());
            let mut from = text.len().saturating_sub(LOG_TAIL);
            while !text.is_char_boundary(from) {
                from += 1;
            }
            text[from..].to_owned()
        }
        _ => String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(LOG_TAIL)..]).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_in_another_encoding_is_read() {
        let wide = |text: &str| -> Vec<u8> {
            [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect()
        };
        assert_eq!(tail(&wide("panic: 坏了")), "panic: 坏了");
        let long = tail(&wide(&format!("{}end", "长".repeat(LOG_TAIL))));
        assert!(long.ends_with("长end") && long.len() <= LOG_TAIL);
        // Latin-1 and GBK: what is ASCII in them stays readable.
        assert!(tail(b"caf\xe9: permission denied").ends_with(": permission denied"));
    }

    #[test]
    fn tells_whose_log_a_file_is() {
        let place = |path: &str| LogPlace::of(Path::new(path)).map(|p| (p.namespace, p.pod, p.container, p.part));
        let is = |c: &str, part| Some(("shop".to_owned(), "web-1".to_owned(), c.to_owned(), part));
        assert_eq!(place("x/logs/shop/web-1/app.log"), is("app", LogPart::Current));
        assert_eq!(place("logs/shop/web-1/app.previous.log"), is("app", LogPart::Previous));
        assert_eq!(place("logs/shop/web-1/app.error"), is("app", LogPart::Error));
        assert_eq!(place("g/namespaces/shop/pods/web-1/app/app/logs/previous.log"), is("app", LogPart::Previous));
        assert_eq!(place("dump/shop/web-1/logs.txt"), is("", LogPart::Dump));
        assert_eq!(place("dump/shop/pods.json"), None);
    }

    #[test]
    fn splits_a_dump_by_container() {
        let text = "==== START logs for container app of pod shop/web-1 ====\nboom\n==== END logs for container app of pod shop/web-1 ====\n";
        assert_eq!(dumped_logs(text), [("app", "boom\n")]);
    }
}
