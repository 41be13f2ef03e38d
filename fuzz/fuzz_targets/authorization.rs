//! The `Authorization` header, and what is in it once it is taken apart.
#![no_main]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use berth_auth::{Credentials, MasterKey, PasswordHash, RefreshToken};
use libfuzzer_sys::fuzz_target;
use secrecy::ExposeSecret;

fuzz_target!(|text: &str| {
    match Credentials::parse(text) {
        Ok(Credentials::Basic { user, password }) => {
            assert!(!user.contains(':') && !user.chars().any(char::is_control));
            let whole = format!("{user}:{}", password.expose_secret());
            let header = format!("Basic {}", STANDARD.encode(&whole));
            let Ok(Credentials::Basic { user: again, password: word }) = Credentials::parse(&header) else {
                panic!("{whole:?} is not taken when it is written again");
            };
            assert_eq!(format!("{again}:{}", word.expose_secret()), whole);
        }
        Ok(Credentials::Bearer(token)) => {
            assert!(text.contains(token) && !token.contains(char::is_whitespace));
        }
        Err(refused) => assert!(!refused.to_string().is_empty()),
    }
    if let Ok(token) = RefreshToken::parse(text.into()) {
        assert_eq!(token.secret().expose_secret(), text);
    }
    if let Ok(hash) = PasswordHash::parse(text) {
        let again = PasswordHash::parse(&hash.to_phc()).expect("a hash that was written is read");
        assert_eq!(again.to_phc(), hash.to_phc());
    }
    let _ = text.parse::<MasterKey>();
});
