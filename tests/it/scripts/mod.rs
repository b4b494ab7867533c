//! Ledger tests are scripts that a lawyer can read, under `tests/data/ledger`, and every engine runs
//! the same ones. `UPDATE_EXPECT=1` writes what the core answers into the files.

pub(crate) mod core;
pub(crate) mod data;
pub(crate) mod engine;
pub(crate) mod script;

use std::fs;

use expect_test::expect_file;

use self::{
    core::CoreEngine,
    engine::Engine,
    script::{Operation, Script, Step},
};

/// Runs every script that the engine can run, each on a fresh one, and compares its answers with
/// those on the page.
pub(crate) fn run_all<E: Engine>(fresh: impl Fn() -> E) {
    let mut paths: Vec<_> =
        fs::read_dir(data::folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.sort();
    let mut run = 0;
    for path in &paths {
        let script = Script::parse(&path.display().to_string(), &fs::read_to_string(path).unwrap());
        let mut engine = fresh();
        if script.needs.iter().all(|need| engine.offers(*need)) {
            let page = script.render(|step| answer(&mut engine, step));
            // Whatever happened, the log tells it all.
            engine.restart();
            expect_file![path].assert_eq(&page);
            run += 1;
        }
    }
    assert!(run * 2 > paths.len(), "an engine runs most scripts");
}

/// What an engine answers to any step.
pub(crate) fn answer(engine: &mut impl Engine, step: &Step) -> Vec<String> {
    match &step.operation {
        Operation::At(now) => engine.set_clock(*now),
        Operation::Restart => engine.restart(),
        _ => return engine.execute(step),
    }
    Vec::new()
}

#[test]
fn the_core_answers_every_script_as_written() {
    run_all(CoreEngine::new);
}
