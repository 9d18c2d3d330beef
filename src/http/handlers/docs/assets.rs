//! The files that the pages load, each under a name that holds a digest of what is in it.

use std::hash::{DefaultHasher, Hasher};
use std::sync::LazyLock;

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// One file.
pub(super) struct Asset {
    /// As the pages in the repository name it.
    plain_name: &'static str,
    /// As it is served.
    name: String,
    pub(super) media_type: &'static str,
    /// Whether the bytes are compressed: every browser reads that.
    pub(super) is_gzip: bool,
    pub(super) bytes: &'static [u8],
}

static ASSETS: LazyLock<[Asset; 4]> = LazyLock::new(|| {
    let viewer = include_bytes!("swagger-ui/swagger-ui-bundle.js.gz");
    let viewer_style = include_bytes!("swagger-ui/swagger-ui.css.gz");
    [
        Asset::new("swagger-ui.js", SCRIPT, true, viewer),
        Asset::new("swagger-ui.css", STYLE, true, viewer_style),
        Asset::new("contract.js", SCRIPT, false, include_bytes!("contract.js")),
        Asset::new("pages.css", STYLE, false, include_bytes!("pages.css")),
    ]
});

impl Asset {
    fn new(
        plain_name: &'static str,
        media_type: &'static str,
        is_gzip: bool,
        bytes: &'static [u8],
    ) -> Self {
        let mut digest = DefaultHasher::new();
        digest.write(bytes);
        Self {
            plain_name,
            name: format!("{:016x}-{plain_name}", digest.finish()),
            media_type,
            is_gzip,
            bytes,
        }
    }
}

/// The file of this name.
pub(super) fn find(name: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.name == name)
}

/// A page with the names that are served, in the folder it reaches them by, in place of `asset:` and the plain ones.
pub(super) fn link(page: &str, folder: &str) -> String {
    ASSETS.iter().fold(page.to_owned(), |page, asset| {
        let plain = format!("\"asset:{}\"", asset.plain_name);
        page.replace(&plain, &format!("\"{folder}{}\"", asset.name))
    })
}
