//! Names with wildcards, as Go's `filepath.Match` reads them: `*`, `?`, `[a-z]`, `[^a]`, `\\` in front of any.

/// Whether `text` has a wildcard that isn't escaped.
pub(super) fn has_wildcards(text: &str) -> bool {
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => drop(letters.next()),
            '*' | '?' | '[' => return true,
            _ => {}
        }
    }
    false
}

/// Whether the one name `name` matches `pattern`. What is no pattern matches nothing.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    // Where the last star was, and what it has taken: each star need only be tried longer.
    let (mut p, mut n, mut star) = (0, 0, None);
    loop {
        if pattern.get(p) == Some(&'*') {
            star = Some((p, n));
            p += 1;
            continue;
        }
        if p == pattern.len() && n == name.len() {
            return true;
        }
        if let Some(letter) = name.get(n)
            && let Some(length) = one(&pattern[p..], *letter)
        {
            (p, n) = (p + length, n + 1);
            continue;
        }
        match star {
            Some((at, taken)) if taken < name.len() => {
                star = Some((at, taken + 1));
                (p, n) = (at + 1, taken + 1);
            }
            _ => return false,
        }
    }
}

/// How much of `pattern` matches the letter, if it does.
fn one(pattern: &[char], letter: char) -> Option<usize> {
    match *pattern.first()? {
        '?' => Some(1),
        '[' => class(pattern, letter),
        '\\' => (*pattern.get(1)? == letter).then_some(2),
        other => (other == letter).then_some(1),
    }
}

fn class(pattern: &[char], letter: char) -> Option<usize> {
    let mut at = 1;
    let negated = pattern.get(at) == Some(&'^');
    at += usize::from(negated);
    let (mut found, mut ranges) = (false, 0);
    loop {
        if pattern.get(at) == Some(&']') && ranges > 0 {
            return (found != negated).then_some(at + 1);
        }
        let mut bound = || -> Option<char> {
            let escaped = *pattern.get(at)? == '\\';
            at += usize::from(escaped);
            let letter = *pattern.get(at)?;
            at += 1;
            (escaped || !matches!(letter, '-' | ']')).then_some(letter)
        };
        let low = bound()?;
        let high = if pattern.get(at) == Some(&'-') {
            at += 1;
            let escaped = *pattern.get(at)? == '\\';
            at += usize::from(escaped);
            let letter = *pattern.get(at)?;
            at += 1;
            letter
        } else {
            low
        };
        found |= low <= letter && letter <= high;
        ranges += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_as_in_go() {
        for (pattern, name, expected) in [
            ("*", "", true),
            ("*.go", "main.go", true),
            ("*.go", "main.rs", false),
            ("a*b*c", "a1b2b3c", true),
            ("a*b*c", "a1c2", false),
            ("?", "é", true),
            ("[a-c]x", "bx", true),
            ("[^a-c]x", "bx", false),
            ("[\\]]", "]", true),
            ("a\\*", "a*", true),
            ("a\\*", "ab", false),
            ("[", "[", false),
            ("[]a]", "]", false),
            ("", "", true),
            ("abc", "ab", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
        assert!(has_wildcards("a[b]") && !has_wildcards("a\\*b"));
    }
}
