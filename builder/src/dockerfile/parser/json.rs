//! The exec form: a JSON array of strings, as Go's `encoding/json` reads it.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, Visitor};

use crate::dockerfile::Refusal;

/// The strings of a JSON array; nothing when `text` isn't JSON, which makes it the shell form.
///
/// # Errors
/// When it is a JSON array with anything else in it.
pub(super) fn strings(text: &str) -> Result<Option<Vec<String>>, Refusal> {
    let text = text.trim_start();
    // Skips over what is nested without a stack.
    if !text.starts_with('[') || serde_json::from_str::<IgnoredAny>(text).is_err() {
        return Ok(None);
    }
    match serde_json::from_str::<Vec<Text>>(text) {
        Ok(strings) => Ok(Some(strings.into_iter().map(|it| it.0).collect())),
        Err(_) => Err(Refusal::new(
            "when using JSON array syntax, arrays must be comprised of strings only",
            "put each element into double quotes",
        )),
    }
}

/// A string in which halves of a surrogate pair became U+FFFD, as in Go.
struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;

        impl Visitor<'_> for Bytes {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Text, E> {
                Ok(Text(without_surrogates(bytes)))
            }
        }

        // Asked for bytes, serde_json gives a lone surrogate as its three bytes instead of refusing it.
        deserializer.deserialize_bytes(Bytes)
    }
}

fn without_surrogates(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        if chunk.invalid().first() == Some(&0xed) {
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_of_strings_is_the_exec_form() {
        for (text, expected) in [
            (r#"["a", "b c"]"#, vec!["a", "b c"]),
            (" [ ]", vec![]),
            (r#"["\u00e9\n\ud83d\ude00"]"#, vec!["é\n\u{1f600}"]),
            (r#"["\ud800x", "\udc00\ud800"]"#, vec!["\u{fffd}x", "\u{fffd}\u{fffd}"]),
        ] {
            let expected = Some(expected.into_iter().map(str::to_owned).collect());
            assert_eq!(strings(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_json_is_the_shell_form() {
        for text in ["", "a", "['a']", r#"["a""#, r#"["a"] b"#, r#"["a",]"#, "[\"\t\"]", &"[".repeat(100_000)]
        {
            assert_eq!(strings(text), Ok(None), "{text:.40}");
        }
    }

    #[test]
    fn an_array_with_something_else_in_it_is_refused() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        for text in ["[1]", "[null]", r#"["a", ["b"]]"#, r#"[{"a": "b"}]"#, "[[97]]", &deep] {
            let refusal = strings(text).unwrap_err();
            assert!(refusal.what.ends_with("comprised of strings only"), "{text:.40}");
        }
    }
}
