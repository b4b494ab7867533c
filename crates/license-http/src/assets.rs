//! The dashboard and its files, from the folder `assets`, embedded in the binary.

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
pub(crate) const ASSETS: &[Asset] = &[
    style("style.css", include_bytes!("../assets/style.css")),
    Asset {
        name: "icon.svg",
        media: "image/svg+xml",
        content: include_bytes!("../assets/icon.svg"),
    },
    script("app.js", include_bytes!("../assets/app.js")),
    script("api.js", include_bytes!("../assets/api.js")),
    script("chart.js", include_bytes!("../assets/chart.js")),
    script("dialogs.js", include_bytes!("../assets/dialogs.js")),
    script("dom.js", include_bytes!("../assets/dom.js")),
    script("figures.js", include_bytes!("../assets/figures.js")),
    script("holders.js", include_bytes!("../assets/holders.js")),
    script("ledger.js", include_bytes!("../assets/ledger.js")),
    script("live.js", include_bytes!("../assets/live.js")),
    script("products.js", include_bytes!("../assets/products.js")),
    script("refusals.js", include_bytes!("../assets/refusals.js")),
    script("rows.js", include_bytes!("../assets/rows.js")),
    script("words.js", include_bytes!("../assets/words.js")),
];

const fn style(name: &'static str, content: &'static [u8]) -> Asset {
    Asset { name, media: "text/css; charset=utf-8", content }
}

const fn script(name: &'static str, content: &'static [u8]) -> Asset {
    Asset { name, media: "text/javascript; charset=utf-8", content }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_page_is_served() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/assets");
        for file in std::fs::read_dir(folder).unwrap() {
            let name = file.unwrap().file_name().into_string().unwrap();
            let is_served = name == "index.html" || ASSETS.iter().any(|asset| asset.name == name);
            assert!(is_served, "{name} lies in assets and is not in ASSETS");
        }
    }
}
