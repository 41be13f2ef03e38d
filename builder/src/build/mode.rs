//! `--chmod`: octal or symbolic, as chmod(1) reads it.

use crate::dockerfile::Refusal;

/// What becomes of a mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Chmod {
    /// It is this, set-id and sticky bits included.
    Is(u32),
    /// It is changed by one clause after the other.
    Changes(Vec<Clause>),
}

/// `ug+rwX`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Clause {
    /// The bits of those whom it is about: `u` is 0o4700, `g` 0o2070, `o` 0o1007.
    whom: u32,
    operation: Operation,
    letters: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Add,
    Remove,
    Set,
}

impl Chmod {
    /// Reads what stands behind `--chmod=`.
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        let remedy = "write octal digits as 755, or symbols as u=rwX,go=rX";
        if text.starts_with(|letter: char| letter.is_ascii_digit()) {
            let mode = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777);
            return mode.map(Self::Is).ok_or_else(|| {
                let what = format!(
                    "invalid chmod parameter: '{text}'. it should be octal string and between 0 and 07777"
                );
                Refusal::new(what, remedy)
            });
        }
        let clauses = text.split(',').map(clauses).collect::<Option<Vec<_>>>();
        let clauses =
            clauses.ok_or_else(|| Refusal::new(format!("invalid chmod parameter: '{text}'"), remedy));
        Ok(Self::Changes(clauses?.concat()))
    }

    /// What becomes of `mode`.
    pub(super) fn apply(&self, mode: u32, kind: Kind) -> u32 {
        match self {
            Self::Is(mode) => *mode,
            Self::Changes(clauses) => clauses.iter().fold(mode, |mode, clause| clause.apply(mode, kind)),
        }
    }

    /// The mode of folders that are made on the way: without the set-id and sticky bits.
    pub(super) fn of_folders_on_the_way(&self) -> u32 {
        match self {
            Self::Is(mode) => mode & 0o777,
            Self::Changes(_) => 0o755,
        }
    }
}

/// Whether a mode is a folder's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Folder,
    Other,
}

fn clauses(text: &str) -> Option<Vec<Clause>> {
    let start = text.find(['+', '-', '='])?;
    let mut whom = 0;
    for letter in text[..start].chars() {
        whom |= match letter {
            'u' => 0o4700,
            'g' => 0o2070,
            'o' => 0o1007,
            'a' => 0o7777,
            _ => return None,
        };
    }
    let whom = if start == 0 { 0o7777 } else { whom };
    let mut clauses = Vec::new();
    let mut rest = &text[start..];
    while let Some(sign) = rest.chars().next() {
        let operation = match sign {
            '+' => Operation::Add,
            '-' => Operation::Remove,
            '=' => Operation::Set,
            _ => return None,
        };
        let end = rest[1..].find(['+', '-', '=']).map_or(rest.len(), |end| end + 1);
        let letters = rest[1..end].to_owned();
        let copies = matches!(letters.as_str(), "u" | "g" | "o");
        if !copies && letters.contains(|letter| !"rwxXst".contains(letter)) {
            return None;
        }
        clauses.push(Clause { whom, operation, letters });
        rest = &rest[end..];
    }
    Some(clauses)
}

impl Clause {
    fn apply(&self, mode: u32, kind: Kind) -> u32 {
        let mut bits = 0;
        for letter in self.letters.chars() {
            bits |= match letter {
                'r' => 0o444,
                'w' => 0o222,
                'x' => 0o111,
                'X' if kind == Kind::Folder || mode & 0o111 != 0 => 0o111,
                's' => 0o6000,
                't' => 0o1000,
                'u' => (mode >> 6 & 7) * 0o111,
                'g' => (mode >> 3 & 7) * 0o111,
                'o' => (mode & 7) * 0o111,
                _ => 0,
            };
        }
        let bits = bits & self.whom;
        match self.operation {
            Operation::Add => mode | bits,
            Operation::Remove => mode & !bits,
            Operation::Set => mode & !self.whom | bits,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_read_as_chmod_reads_them() {
        for (text, mode, kind, expected) in [
            ("755", 0o600, Kind::Other, 0o755),
            ("04711", 0o600, Kind::Other, 0o4711),
            ("u+x", 0o644, Kind::Other, 0o744),
            ("go-rwx", 0o777, Kind::Other, 0o700),
            ("a=rX", 0o644, Kind::Other, 0o444),
            ("a=rX", 0o755, Kind::Folder, 0o555),
            ("u=rwX,go=rX", 0o600, Kind::Folder, 0o755),
            ("u=rwX,go=rX", 0o600, Kind::Other, 0o644),
            ("g=u", 0o640, Kind::Other, 0o660),
            ("+t", 0o755, Kind::Folder, 0o1755),
            ("u+s", 0o755, Kind::Other, 0o4755),
        ] {
            assert_eq!(Chmod::parse(text).unwrap().apply(mode, kind), expected, "{text}");
        }
        for text in ["8", "17777", "u", "x+u", "u+y", ""] {
            assert!(Chmod::parse(text).is_err(), "{text}");
        }
    }
}
