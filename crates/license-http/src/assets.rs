//! The page for people and the files that it needs, which lie in `assets` and in the binary.

/// A file of the page.
pub(crate) struct Asset {
    /// Its name below `/assets/`.
    pub(crate) name: &'static str,
    pub(crate) media: &'static str,
    pub(crate) content: &'static [u8],
}

/// The page itself.
pub(crate) const PAGE: &str = include_str!("../assets/index.html");

/// What it needs.
pub(crate) const ASSETS: &[Asset] = &[];
