//! What is generated is current, and the same every time.

use super::*;

fn sources() -> Sources {
    Sources::load(&root().join("schemas")).unwrap()
}

#[test]
fn what_is_committed_is_what_the_schemas_say() {
    assert_eq!(render(&sources()).unwrap().drift(&root()).unwrap(), None);
}

#[test]
fn rendering_twice_gives_the_same_bytes() {
    assert_eq!(render(&sources()).unwrap(), render(&sources()).unwrap());
}
