use aws_lc_rs::hmac;
use serde_json::{Value, json};

use super::*;
use crate::parse_scopes;

const NOW: i64 = 1_800_000_000;

fn identity() -> Identity {
    Identity {
        id: "id-1".parse().unwrap(),
        name: "alice".parse().unwrap(),
        attachments: vec![],
        disabled: false,
        credentials_changed_at: 42,
    }
}

fn claims() -> Claims {
    let access = parse_scopes(["repository:team-a/app:pull,push registry:catalog:*"]);
    Claims::new("berth", "registry", Some(&identity()), access, NOW, Duration::from_secs(300)).unwrap()
}

fn verifier(key: &SigningKey) -> Verifier {
    Verifier::new("berth", "registry", [key.public_key()])
}

fn part(json: &Value) -> String {
    URL_SAFE_NO_PAD.encode(json.to_string())
}

/// A token of any header and claims, properly signed.
fn signed(header: &Value, claims: &Value, key: &SigningKey) -> String {
    let message = format!("{}.{}", part(header), part(claims));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), key.encoding_key(), Algorithm::EdDSA);
    format!("{message}.{}", signature.unwrap())
}

fn header(key: &SigningKey) -> Value {
    json!({"typ": "JWT", "alg": "EdDSA", "kid": key.id().as_str()})
}

/// The refusal of a properly signed token whose claims were changed by `change`.
fn refusal_of(change: impl FnOnce(&mut serde_json::Map<String, Value>)) -> TokenError {
    let key = SigningKey::generate().unwrap();
    let mut claims = serde_json::to_value(claims()).unwrap();
    change(claims.as_object_mut().unwrap());
    verifier(&key).verify(&signed(&header(&key), &claims, &key), NOW).unwrap_err()
}

#[test]
fn a_token_says_what_was_signed() {
    let key = SigningKey::generate().unwrap();
    let token = sign(&claims(), &key).unwrap();
    let verified = verifier(&key).verify(&token, NOW).unwrap();
    assert_eq!(verified.subject, Some("id-1".parse().unwrap()));
    assert_eq!((verified.issued_at, verified.expires_at), (NOW, NOW + 300));
    assert_eq!(verified.access, claims().access);
    assert!(verified.is_current(&identity()));
}

#[test]
fn the_claims_are_those_of_dockers_specification() {
    let key = SigningKey::generate().unwrap();
    let token = sign(&claims(), &key).unwrap();
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let mut written: Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(written.as_object_mut().unwrap().remove("jti").unwrap().as_str().unwrap().len(), 26);
    let expected = json!({
        "iss": "berth", "sub": "id-1", "aud": "registry",
        "exp": NOW + 300, "nbf": NOW, "iat": NOW, "cred": 42,
        "access": [
            {"type": "repository", "name": "team-a/app", "actions": ["pull", "push"]},
            {"type": "registry", "name": "catalog", "actions": ["*"]},
        ],
    });
    assert_eq!(written, expected);
}

#[test]
fn an_anonymous_token_has_no_subject() {
    let key = SigningKey::generate().unwrap();
    let claims = Claims::new("berth", "registry", None, vec![], NOW, Duration::from_secs(60)).unwrap();
    assert_eq!(claims.subject, "");
    let verified = verifier(&key).verify(&sign(&claims, &key).unwrap(), NOW).unwrap();
    assert_eq!(verified.subject, None);
    assert!(!verified.is_current(&identity()));
}

#[test]
fn a_token_lives_from_its_beginning_to_its_end_and_five_seconds_around() {
    let key = SigningKey::generate().unwrap();
    let token = sign(&claims(), &key).unwrap();
    for (now, refused) in [
        (NOW - 6, Some(TokenError::NotYetValid)),
        (NOW - 5, None),
        (NOW + 304, None),
        (NOW + 305, Some(TokenError::Expired)),
        (i64::MAX, Some(TokenError::Expired)),
        (i64::MIN, Some(TokenError::NotYetValid)),
    ] {
        assert_eq!(verifier(&key).verify(&token, now).err(), refused, "{now}");
    }
}

#[test]
fn extreme_times_in_a_token_overflow_nothing() {
    assert_eq!(refusal_of(|claims| drop(claims.insert("exp".into(), json!(i64::MIN)))), TokenError::Expired);
    assert_eq!(
        refusal_of(|claims| drop(claims.insert("nbf".into(), json!(i64::MAX)))),
        TokenError::NotYetValid
    );
}

#[test]
fn a_token_of_another_issuer_or_for_another_service_is_refused() {
    assert_eq!(refusal_of(|claims| drop(claims.insert("iss".into(), json!("other")))), TokenError::Issuer);
    assert_eq!(refusal_of(|claims| drop(claims.insert("aud".into(), json!("other")))), TokenError::Audience);
}

#[test]
fn a_token_issued_in_the_future_is_refused() {
    assert_eq!(
        refusal_of(|claims| drop(claims.insert("iat".into(), json!(NOW + 60)))),
        TokenError::NotYetValid
    );
}

#[test]
fn each_missing_claim_is_named() {
    for claim in ["iss", "sub", "aud", "exp", "nbf", "iat", "cred", "access"] {
        assert_eq!(refusal_of(|claims| drop(claims.remove(claim))), TokenError::MissingClaim(claim));
    }
}

#[test]
fn claims_of_the_wrong_type_are_malformed() {
    for (claim, value) in [
        ("exp", json!("tomorrow")),
        ("exp", json!(1e300)),
        ("iss", json!(["berth"])),
        ("sub", json!("no id!")),
        ("access", json!("all")),
        ("access", json!([{"type": "repository"}])),
    ] {
        let refused = refusal_of(|claims| drop(claims.insert(claim.into(), value)));
        assert_eq!(refused, TokenError::Malformed, "{claim}");
    }
}

#[test]
fn an_access_entry_of_a_later_version_is_ignored() {
    let key = SigningKey::generate().unwrap();
    let mut claims = serde_json::to_value(claims()).unwrap();
    claims["access"] = json!([{"type": "galaxy", "name": "m31", "actions": ["visit"]}]);
    let verified = verifier(&key).verify(&signed(&header(&key), &claims, &key), NOW).unwrap();
    assert_eq!(verified.access, []);
}

#[test]
fn a_token_without_a_signature_is_refused_whatever_it_calls_that() {
    let key = SigningKey::generate().unwrap();
    let claims = serde_json::to_value(claims()).unwrap();
    for name in ["none", "None", "NONE", "nOnE", ""] {
        let header = json!({"alg": name, "kid": key.id().as_str()});
        let token = format!("{}.{}.", part(&header), part(&claims));
        assert!(matches!(verifier(&key).verify(&token, NOW), Err(TokenError::Algorithm(_))), "{name}");
    }
}

#[test]
fn an_hmac_keyed_with_the_public_key_is_refused() {
    let key = SigningKey::generate().unwrap();
    let header = json!({"alg": "HS256", "kid": key.id().as_str()});
    let message = format!("{}.{}", part(&header), part(&serde_json::to_value(claims()).unwrap()));
    let secret = hmac::Key::new(hmac::HMAC_SHA256, key.public_key().as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&secret, message.as_bytes()));
    let refused = verifier(&key).verify(&format!("{message}.{signature}"), NOW).unwrap_err();
    assert_eq!(refused, TokenError::Algorithm("'HS256'".to_owned()));
}

#[test]
fn a_token_of_a_key_that_is_unknown_or_unnamed_is_refused() {
    let (ours, theirs) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let claims = serde_json::to_value(claims()).unwrap();
    for header in [header(&theirs), json!({"alg": "EdDSA"}), json!({"alg": "EdDSA", "kid": ""})] {
        let token = signed(&header, &claims, &theirs);
        assert_eq!(verifier(&ours).verify(&token, NOW), Err(TokenError::UnknownKey), "{header}");
    }
}

#[test]
fn a_token_that_names_our_key_and_is_signed_with_another_is_refused() {
    let (ours, theirs) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let token = signed(&header(&ours), &serde_json::to_value(claims()).unwrap(), &theirs);
    assert_eq!(verifier(&ours).verify(&token, NOW), Err(TokenError::Signature));
}

#[test]
fn a_key_that_the_token_brings_along_is_not_believed() {
    let (ours, theirs) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let claims = serde_json::to_value(claims()).unwrap();
    let mut with_key = header(&ours);
    with_key["jwk"] = serde_json::to_value(theirs.public_key().to_jwk()).unwrap();
    with_key["jku"] = json!("https://evil.example/jwks.json");
    let refused = verifier(&ours).verify(&signed(&with_key, &claims, &theirs), NOW);
    assert_eq!(refused, Err(TokenError::Signature));
}

#[test]
fn a_changed_character_anywhere_is_noticed() {
    let key = SigningKey::generate().unwrap();
    let token = sign(&claims(), &key).unwrap();
    for at in 0..token.len() {
        let mut changed = token.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert!(verifier(&key).verify(&changed, NOW).is_err(), "character {at}");
    }
}

#[test]
fn other_claims_under_the_same_signature_are_refused() {
    let key = SigningKey::generate().unwrap();
    let token = sign(&claims(), &key).unwrap();
    let parts: Vec<_> = token.split('.').collect();
    let mut claims = serde_json::to_value(claims()).unwrap();
    claims["sub"] = json!("admin");
    let forged = format!("{}.{}.{}", parts[0], part(&claims), parts[2]);
    assert_eq!(verifier(&key).verify(&forged, NOW), Err(TokenError::Signature));
}

#[test]
fn a_critical_extension_is_refused() {
    let key = SigningKey::generate().unwrap();
    let mut critical = header(&key);
    critical["crit"] = json!(["exp"]);
    let token = signed(&critical, &serde_json::to_value(claims()).unwrap(), &key);
    assert_eq!(verifier(&key).verify(&token, NOW), Err(TokenError::Malformed));
}

#[test]
fn what_is_no_token_is_malformed() {
    let key = SigningKey::generate().unwrap();
    let token = sign(&claims(), &key).unwrap();
    let twice = format!("{token}.{}", token.split('.').next_back().unwrap());
    let (head, _) = token.rsplit_once('.').unwrap();
    let no_algorithm = format!("{}.e30.e30", part(&json!({"kid": key.id().as_str()})));
    let deep = format!("{}.e30.e30", URL_SAFE_NO_PAD.encode("[".repeat(5000)));
    for text in ["", ".", "..", "...", "secret", "e30.e30.e30", "ä.ä.ä", &twice, head, &no_algorithm, &deep]
    {
        assert_eq!(verifier(&key).verify(text, NOW), Err(TokenError::Malformed), "{text}");
    }
}

#[test]
fn a_token_past_the_bound_is_refused_unread() {
    let key = SigningKey::generate().unwrap();
    let token = sign(&claims(), &key).unwrap();
    let padded = format!("{token}{}", "A".repeat(MAX_TOKEN_BYTES));
    assert_eq!(verifier(&key).verify(&padded, NOW), Err(TokenError::TooLong));
}

#[test]
fn the_longest_token_that_can_be_asked_for_is_accepted() {
    let key = SigningKey::generate().unwrap();
    let scopes: String = (0..100).map(|i| format!("repository:{}{i:03}:* ", "a".repeat(252))).collect();
    let access = parse_scopes([scopes.as_str()]);
    assert_eq!(access.len(), 32);
    let longest = Claims { access, issuer: "i".repeat(255), ..claims() };
    let token = sign(&longest, &key).unwrap();
    let verifier = Verifier::new(&longest.issuer, "registry", [key.public_key()]);
    assert!(verifier.verify(&token, NOW).is_ok(), "{} bytes", token.len());
}

#[test]
fn retired_keys_are_believed_as_long_as_the_verifier_has_them() {
    let (old, new) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let token = sign(&claims(), &old).unwrap();
    let both = Verifier::new("berth", "registry", [old.public_key(), new.public_key()]);
    assert!(both.verify(&token, NOW).is_ok());
    assert_eq!(verifier(&new).verify(&token, NOW), Err(TokenError::UnknownKey));
}

#[test]
fn scopes_cover_the_actions_behind_their_words_and_no_other() {
    let key = SigningKey::generate().unwrap();
    let verified = verifier(&key).verify(&sign(&claims(), &key).unwrap(), NOW).unwrap();
    let (own, other) = ("team-a/app".parse().unwrap(), "team-b/app".parse().unwrap());
    for (action, repository, covered) in [
        (Action::BatchGetImage, Some(&own), true),
        (Action::PutImage, Some(&own), true),
        (Action::BatchDeleteImage, Some(&own), false),
        (Action::DeleteRepository, Some(&own), false),
        (Action::BatchGetImage, Some(&other), false),
        (Action::DescribeRepositories, None, true),
        (Action::ManageUsers, None, false),
    ] {
        assert_eq!(verified.covers(action, repository), covered, "{action}");
    }
    assert!(verified.allows(Word::Push, &own) && !verified.allows(Word::Delete, &own));
}

#[test]
fn a_changed_password_or_another_identity_makes_it_stale() {
    let key = SigningKey::generate().unwrap();
    let verified = verifier(&key).verify(&sign(&claims(), &key).unwrap(), NOW).unwrap();
    assert!(!verified.is_current(&Identity { credentials_changed_at: 43, ..identity() }));
    assert!(!verified.is_current(&Identity { id: "id-2".parse().unwrap(), ..identity() }));
}

#[test]
fn a_token_names_the_access_key_that_it_was_asked_for_with() {
    let key = SigningKey::generate().unwrap();
    let id: AccessKeyId = "BK23456789ABCDEFGHJK".parse().unwrap();
    let token = sign(&claims().through(Some(&id)), &key).unwrap();
    assert_eq!(verifier(&key).verify(&token, NOW).unwrap().access_key, Some(id));
    let token = sign(&claims().through(None), &key).unwrap();
    assert_eq!(verifier(&key).verify(&token, NOW).unwrap().access_key, None);
    let refused = refusal_of(|claims| drop(claims.insert("key".to_owned(), json!("no id"))));
    assert_eq!(refused, TokenError::Malformed);
}
