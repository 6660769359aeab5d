//! The engine alone: facts of every case in `tests/cases` in memory, diagnosed with all causes.
//!
//! `cargo bench --bench engine`. The budget is 50 µs a pod.
#![expect(clippy::disallowed_methods, reason = "a bench reads its cases")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jiff::Timestamp;
use podoctor::diagnosis::{Catalogue, diagnose};
use podoctor::facts::{Facts, PodView, Subject, World};
use podoctor::gather::files;
use std::hint::black_box;
use std::path::Path;

/// Returns the world of every case with the moment it was seen at, in the order of their names.
fn worlds() -> Vec<(World, Timestamp)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut folders: Vec<_> = std::fs::read_dir(root)
        .expect("tests/cases is there")
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    let read = |folder| {
        let snapshot = files::read(&[folder]);
        Some((snapshot.world, snapshot.newest?))
    };
    folders.into_iter().filter_map(read).collect()
}

fn all_causes(criterion: &mut Criterion) {
    let (worlds, causes) = (worlds(), Catalogue::default());
    let pods = worlds.iter().map(|(world, _)| world.pods.seen().count()).sum::<usize>();
    assert!(pods > 0, "the cases hold pods");
    let mut group = criterion.benchmark_group("engine");
    // The figure to read is the time of one element: a pod.
    group.throughput(Throughput::Elements(pods as u64));
    group.bench_function("every pod of the cases, all causes", |bencher| {
        bencher.iter(|| {
            for (world, now) in &worlds {
                for pod in world.pods.seen() {
                    let facts = Facts { now: *now, world, subject: Subject::Pod(PodView::new(pod)) };
                    black_box(diagnose(black_box(&facts), &causes));
                }
            }
        });
    });
    group.finish();
}

criterion_group!(benches, all_causes);
criterion_main!(benches);
