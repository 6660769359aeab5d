//! How well the engine tells the failures of `tests/cases`, by phase: `cargo bench --bench accuracy`.

#![expect(clippy::disallowed_methods, reason = "a bench reads files and looks at the clock")]

#[path = "../tests/it/cases/measure.rs"]
mod measure;

fn main() {
    let told: Vec<_> = measure::cases().into_iter().map(|case| (case.ask(), case)).collect();
    let figures = |own: Option<bool>| {
        let some = told.iter().filter(|(_, case)| own.is_none_or(|own| case.name.starts_with("own-") == own));
        measure::table(&measure::count(some.map(|(outcome, case)| (case, outcome))), true)
    };
    println!("all cases\n\n{}", figures(None));
    println!("own cases (docs/accuracy.md says how they were made)\n\n{}", figures(Some(true)));
    for (outcome, case) in told.iter().filter(|(outcome, _)| !outcome.first) {
        let also = if outcome.accepted { "accepted" } else { "missed" };
        println!("{also:8} {:52} {:28} said {:?}", case.name, case.truth(), outcome.said);
    }
}
