//! Which images rules choose, and which rule it was.
//!
//! As in ECR: a rule looks at the images that have a tag for each of its patterns; what a rule of
//! higher priority looked at, whether it expires or not, no later rule expires. Unlike there, a rule
//! about tags ends those tags alone, and the image only when it has no other.

use std::time::Duration;

use berth_oci::{Tag, TagPattern};
use berth_storage::{ImageRecord, Timestamp};

/// One rule.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    /// Rules of smaller numbers come first.
    pub(crate) priority: u32,
    pub(crate) selects: Selects,
    pub(crate) measure: Measure,
}

/// Which images a rule looks at.
#[derive(Debug, Clone)]
pub(crate) enum Selects {
    /// Those that have a tag for each of these patterns.
    Tagged(Vec<TagPattern>),
    /// Those that have no tag.
    Untagged,
    /// All.
    Any,
}

/// Which of them expire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    /// All but so many, the last pushed.
    MoreThan(u64),
    /// Those pushed longer ago.
    SincePushed(Duration),
    /// Those pulled, or where they never were pushed, longer ago.
    SincePulled(Duration),
}

/// What of an image is to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chosen {
    /// The rule that chose it.
    pub(crate) priority: u32,
    /// The tags that go.
    pub(crate) tags: Vec<Tag>,
}

/// Follows rules over the images of one repository.
pub(crate) struct Chooser {
    /// Each with how many images it looked at.
    rules: Vec<(Rule, u64)>,
    now: Timestamp,
}

impl Chooser {
    pub(crate) fn new(rules: Vec<Rule>, now: Timestamp) -> Self {
        Self { rules: rules.into_iter().map(|rule| (rule, 0)).collect(), now }
    }

    /// What of this image is to go; asked of every image once, the last pushed first.
    pub(crate) fn choose(&mut self, image: &ImageRecord) -> Option<Chosen> {
        let mut first = None;
        for (rule, looked_at) in &mut self.rules {
            let Some(tags) = rule.selects.tags_of(image) else { continue };
            *looked_at += 1;
            // Whatever a rule before it looked at is not its own, but counts.
            first.get_or_insert_with(|| {
                let expires = rule.measure.is_met(image, *looked_at, self.now);
                expires.then_some(Chosen { priority: rule.priority, tags })
            });
        }
        first.flatten()
    }
}

impl Selects {
    /// The tags that it speaks of, if it looks at this image.
    fn tags_of(&self, image: &ImageRecord) -> Option<Vec<Tag>> {
        match self {
            Self::Any => Some(image.tags.clone()),
            Self::Untagged => image.tags.is_empty().then(Vec::new),
            Self::Tagged(patterns) => {
                let all = patterns.iter().all(|pattern| image.tags.iter().any(|tag| pattern.matches(tag)));
                let spoken_of = |tag: &&Tag| patterns.iter().any(|pattern| pattern.matches(tag));
                all.then(|| image.tags.iter().filter(spoken_of).cloned().collect())
            }
        }
    }
}

impl Measure {
    fn is_met(self, image: &ImageRecord, looked_at: u64, now: Timestamp) -> bool {
        match self {
            Self::MoreThan(kept) => looked_at > kept,
            Self::SincePushed(age) => image.pushed_at < now.before(age),
            Self::SincePulled(age) => image.pulled_at.unwrap_or(image.pushed_at) < now.before(age),
        }
    }
}

#[cfg(test)]
mod tests {
    use berth_oci::{Algorithm, Digest};

    use super::super::document::parse;
    use super::*;

    const DAY: i64 = 24 * 3600 * 1_000_000;
    const NOW: Timestamp = Timestamp(1_000 * DAY);

    /// An image pushed so many days ago.
    fn image(days_ago: i64, tags: &[&str]) -> ImageRecord {
        ImageRecord {
            digest: Digest::of(Algorithm::Sha256, format!("{days_ago} {tags:?}").as_bytes()),
            pushed_at: Timestamp(NOW.0 - days_ago * DAY),
            pulled_at: None,
            tags: tags.iter().map(|tag| tag.parse().unwrap()).collect(),
        }
    }

    /// The rule and tags chosen of each image.
    fn chosen(rules: &[&str], images: &[ImageRecord]) -> Vec<Option<(u32, Vec<String>)>> {
        let rules: Vec<_> = (1..).zip(rules).map(|(priority, selection)| {
            format!(r#"{{"rulePriority":{priority},"selection":{{{selection}}},"action":{{"type":"expire"}}}}"#)
        }).collect();
        let rules = parse(&format!(r#"{{"rules":[{}]}}"#, rules.join(","))).unwrap();
        let mut chooser = Chooser::new(rules, NOW);
        let choose = |image| {
            let Chosen { priority, tags } = chooser.choose(image)?;
            Some((priority, tags.iter().map(ToString::to_string).collect()))
        };
        images.iter().map(choose).collect()
    }

    fn goes(priority: u32, tags: &[&str]) -> Option<(u32, Vec<String>)> {
        Some((priority, tags.iter().map(|tag| (*tag).to_owned()).collect()))
    }

    const KEEP_ONE_V: &str =
        r#""tagStatus":"tagged","tagPrefixList":["v"],"countType":"imageCountMoreThan","countNumber":1"#;
    const OLD: &str =
        r#""tagStatus":"any","countType":"sinceImagePushed","countUnit":"days","countNumber":10"#;
    const UNTAGGED: &str =
        r#""tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":5"#;

    #[test]
    fn of_those_that_match_the_last_pushed_stay() {
        let images = [image(1, &["v3"]), image(2, &["other"]), image(3, &["v2"]), image(4, &["v1"])];
        assert_eq!(chosen(&[KEEP_ONE_V], &images), [None, None, goes(1, &["v2"]), goes(1, &["v1"])]);
    }

    #[test]
    fn a_tag_goes_without_its_siblings() {
        let images = [image(1, &["v3"]), image(2, &["prod", "v2"])];
        assert_eq!(chosen(&[KEEP_ONE_V], &images), [None, goes(1, &["v2"])]);
    }

    #[test]
    fn what_an_earlier_rule_looked_at_no_later_rule_expires() {
        let images = [image(20, &["v2"]), image(30, &["v1"]), image(40, &["other"])];
        assert_eq!(chosen(&[KEEP_ONE_V, OLD], &images), [None, goes(1, &["v1"]), goes(2, &["other"])]);
    }

    #[test]
    fn what_an_earlier_rule_looked_at_counts_for_a_later_one() {
        let keep_two = r#""tagStatus":"any","countType":"imageCountMoreThan","countNumber":2"#;
        let images = [image(1, &["v2"]), image(2, &["v1"]), image(3, &["other"])];
        assert_eq!(chosen(&[KEEP_ONE_V, keep_two], &images), [None, goes(1, &["v1"]), goes(2, &["other"])]);
    }

    #[test]
    fn untagged_images_expire_by_age_alone() {
        let images = [image(4, &[]), image(6, &[]), image(9, &["v1"])];
        assert_eq!(chosen(&[UNTAGGED], &images), [None, goes(1, &[]), None]);
    }

    #[test]
    fn a_rule_of_several_patterns_looks_at_images_that_match_all_of_them() {
        let both = r#""tagStatus":"tagged","tagPatternList":["v*","*-rc"],"countType":"sinceImagePushed","countUnit":"days","countNumber":1"#;
        let images = [image(2, &["v1"]), image(3, &["1-rc", "latest", "v1"])];
        assert_eq!(chosen(&[both], &images), [None, goes(1, &["1-rc", "v1"])]);
    }

    #[test]
    fn an_image_that_was_never_pulled_goes_by_its_push() {
        let unused =
            r#""tagStatus":"any","countType":"sinceImagePulled","countUnit":"days","countNumber":10"#;
        let pulled = |days_ago: i64| ImageRecord {
            pulled_at: Some(Timestamp(NOW.0 - days_ago * DAY)),
            ..image(100, &["pulled"])
        };
        let images = [image(9, &["new"]), image(11, &["old"]), pulled(9), pulled(11)];
        assert_eq!(chosen(&[unused], &images), [None, goes(1, &["old"]), None, goes(1, &["pulled"])]);
    }

    #[test]
    fn what_is_exactly_as_old_as_it_may_be_stays() {
        assert_eq!(chosen(&[OLD], &[image(10, &[]), image(11, &[])]), [None, goes(1, &[])]);
    }
}
