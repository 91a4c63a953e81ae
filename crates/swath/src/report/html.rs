//! Escaping and small pieces of markup.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::png::{Picture, encode_png};

/// Text that is safe between tags and inside quoted attributes.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            letter => safe.push(letter),
        }
    }
    safe
}

/// An `<img>` that carries its pixels.
pub(super) fn image(picture: &Picture, description: &str) -> String {
    format!(
        r#"<img alt="{}" width="{}" height="{}" src="data:image/png;base64,{}">"#,
        escape(description),
        picture.width,
        picture.height,
        STANDARD.encode(encode_png(picture))
    )
}

/// A patch of a class colour.
pub(super) fn swatch([red, green, blue]: [u8; 3]) -> String {
    format!(r#"<i class="swatch" style="background:#{red:02x}{green:02x}{blue:02x}"></i>"#)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_text_breaks_out_of_the_page(text in ".*") {
            let safe = escape(&text);
            prop_assert!(!safe.contains(['<', '>', '"', '\'']));
            let back = safe.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'");
            prop_assert_eq!(back.replace("&amp;", "&"), text);
        }
    }
}
