//! The name that one request has in answers, logs and records.

use std::cell::Cell;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};

use http::HeaderValue;

/// A request's id: the client's own `X-Request-Id` if it is decent, else sixteen hexadecimal
/// digits. An extension of every request and a header of every answer.
#[derive(Debug, Clone)]
pub struct RequestId(Id);

#[derive(Debug, Clone)]
enum Id {
    Made(u64),
    Given(HeaderValue),
}

/// The longest id that is taken from a client.
const LONGEST: usize = 64;

impl RequestId {
    /// The client's, if it is 1 to 64 visible ASCII characters (it goes into logs), or a new one.
    pub(crate) fn take_or_make(given: Option<&HeaderValue>) -> Self {
        let decent = |given: &&HeaderValue| {
            (1..=LONGEST).contains(&given.len()) && given.as_bytes().iter().all(u8::is_ascii_graphic)
        };
        given.filter(decent).map_or_else(Self::make, |given| Self(Id::Given(given.clone())))
    }

    /// Unlike any other, but not secret: each thread counts on from a random start, and the count
    /// is mixed (splitmix64).
    fn make() -> Self {
        thread_local! {
            static COUNT: Cell<u64> = Cell::new(RandomState::new().hash_one(0_u8));
        }
        let mut id = COUNT.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        COUNT.set(id);
        id = (id ^ (id >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        id = (id ^ (id >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self(Id::Made(id ^ (id >> 31)))
    }

    pub(crate) fn header(&self) -> HeaderValue {
        match &self.0 {
            Id::Made(id) => {
                let digit = |shift: u32| b"0123456789abcdef"[(id >> shift) as usize & 15];
                let digits: [u8; 16] = std::array::from_fn(|at| digit(60 - 4 * at as u32));
                HeaderValue::from_bytes(&digits).unwrap_or_else(|_| HeaderValue::from_static("-"))
            }
            Id::Given(value) => value.clone(),
        }
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Id::Made(id) => write!(f, "{id:016x}"),
            Id::Given(value) => f.write_str(value.to_str().unwrap_or("-")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decent_id_is_taken_and_others_are_replaced() {
        let taken = |text: &str| {
            let value = HeaderValue::from_bytes(text.as_bytes()).unwrap();
            RequestId::take_or_make(Some(&value)).to_string() == text
        };
        assert!(taken("a") && taken("0f-Ab_c/=") && taken(&"x".repeat(64)));
        for bad in ["", "a b", "ä", &"x".repeat(65)] {
            assert!(!taken(bad), "{bad:?}");
        }
    }

    #[test]
    fn made_ids_differ_and_read_the_same_everywhere() {
        let ids: std::collections::HashSet<_> =
            (0..10_000).map(|_| RequestId::take_or_make(None).to_string()).collect();
        assert_eq!(ids.len(), 10_000);
        let id = RequestId::take_or_make(None);
        assert_eq!(id.header(), id.to_string().as_str());
        assert_eq!(id.to_string().len(), 16);
    }
}
