//! Words: expanded within bounds, or refused, never a panic. A name, a value, and behind them a word.
#![no_main]

use berth_builder::dockerfile::Environment;
use berth_builder::dockerfile::parser::Heredoc;
use berth_builder::dockerfile::words::{Lexer, NoVariables};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (name, rest) = text.split_once('\n').unwrap_or(("", text));
    let (value, word) = rest.split_once('\n').unwrap_or(("", rest));
    let mut environment = Environment::default();
    environment.set(name, value);
    for lexer in [Lexer::words('\\'), Lexer::words('`'), Lexer::contents(), Lexer::display('\\')] {
        let Ok(expanded) = lexer.expand(word, &environment) else { continue };
        assert!(expanded.text.len() <= word.len() + (1 << 20));
        assert!(!expanded.unset.contains(name));
        assert!(expanded.words.iter().all(|word| !word.is_empty()));
    }
    if !word.contains(['$', '\'', '"', '\\', '\u{feff}']) {
        let expanded = Lexer::words('\\').expand(word, &NoVariables).expect("there is nothing to refuse");
        assert_eq!(expanded.text, word);
    }
    if let Ok(Some(heredoc)) = Heredoc::announced(word) {
        assert!(!heredoc.name.is_empty() && word.contains("<<"));
    }
});
