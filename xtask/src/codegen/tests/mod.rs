//! What is generated is current, the same every time, and refused where it could not be right.

mod refusals;

use super::*;

fn sources() -> Sources {
    Sources::load(&root().join("schemas")).unwrap()
}

fn operations() -> Operations {
    Operations::load(&root()).unwrap()
}

#[test]
fn what_is_committed_is_what_the_schemas_say() {
    assert_eq!(render(&sources(), &operations()).unwrap().drift(&root()).unwrap(), None);
}

#[test]
fn rendering_twice_gives_the_same_bytes() {
    assert_eq!(
        render(&sources(), &operations()).unwrap(),
        render(&sources(), &operations()).unwrap()
    );
}

#[test]
fn writing_leaves_no_drift_and_touches_only_what_changed() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let stray = root.join("schemas/reference/gone.md");
    std::fs::create_dir_all(stray.parent().unwrap()).unwrap();
    std::fs::write(&stray, "of a schema that is gone").unwrap();
    let tree = render(&sources(), &operations()).unwrap();
    let drift = tree.drift(root).unwrap().unwrap();
    assert!(drift.starts_with("schemas/reference/gone.md: is not generated any more"), "{drift}");
    tree.write(root).unwrap();
    assert!(!stray.exists());
    assert_eq!(tree.drift(root).unwrap(), None);

    let changed = root.join("schemas/reference/session.md");
    let text = std::fs::read_to_string(&changed).unwrap();
    std::fs::write(&changed, text.replacen("# Session", "# Other", 1)).unwrap();
    let kept = root.join("schemas/reference/entry.md");
    let mut permissions = std::fs::metadata(&kept).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&kept, permissions).unwrap();
    let drift = tree.drift(root).unwrap().unwrap();
    let expected = "schemas/reference/session.md:4: is stale; run `cargo xtask codegen` and \
                    commit what it writes\n  found    `# Other`\n  expected `# Session`";
    assert_eq!(drift, expected);
    tree.write(root).unwrap();
    assert_eq!(std::fs::read_to_string(&changed).unwrap(), text);
}
