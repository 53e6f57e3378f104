//! The frame of a page: one file, nothing loaded, nothing run but the script of this library.

use std::sync::LazyLock;

use super::markup::Markup;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// The digests let the two blocks of this file through and nothing else, not even other inline code.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    format!(
        "default-src 'none'; base-uri 'none'; form-action 'none'; style-src '{}'; script-src '{}'",
        digest(STYLE),
        digest(SCRIPT)
    )
});

/// A whole page. `body` writes what is between its header and its end.
pub fn page(title: &str, class: &str, body: impl FnOnce(&mut Markup)) -> String {
    let mut m = Markup::default();
    m.constant("<!doctype html>\n");
    m.within("html", &[("lang", "en"), ("class", class)], |m| {
        m.within("head", &[], |m| {
            m.constant("<meta charset=\"utf-8\">\n");
            let policy = POLICY.as_str();
            m.tag("meta", &[("http-equiv", "Content-Security-Policy"), ("content", policy)]);
            m.constant("\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
            m.constant("<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n");
            m.tag("meta", &[("name", "generator"), ("content", concat!("stageflow-stress ", env!("CARGO_PKG_VERSION")))]);
            m.element("title", &[], title);
            m.constant("\n<style>");
            m.constant(STYLE);
            m.constant("</style>\n");
        });
        m.within("body", &[], |m| {
            m.constant("<a class=\"skip\" href=\"#main\">Skip to the content</a>\n");
            body(m);
            m.constant("<script>");
            m.constant(SCRIPT);
            m.constant("</script>\n");
        });
    });
    m.constant("\n");
    m.finish()
}

/// The digest by which a policy names an inline block.
fn digest(text: &str) -> String {
    format!("sha256-{}", base64(&hmac_sha256::Hash::hash(text.as_bytes())))
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let group =
            chunk.iter().fold(0_u32, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for n in 0..4 {
            out.push(if n <= chunk.len() {
                char::from(DIGITS[(group >> (18 - 6 * n) & 63) as usize])
            } else {
                '='
            });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_as_in_rfc_4648() {
        let texts = ["", "f", "fo", "foo", "foob", "fooba", "foobar"];
        let encoded = texts.map(|text| base64(text.as_bytes()));
        assert_eq!(encoded, ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"]);
    }

    /// A browser takes the block's text as it stands in the file; these would end it or be changed by the parser.
    #[test]
    fn the_blocks_are_taken_as_they_are() {
        for block in [STYLE, SCRIPT] {
            assert!(!block.contains("</") && !block.contains("<!--") && !block.contains('\r'));
        }
    }
}
