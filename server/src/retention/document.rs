//! Retention rules as ECR's lifecycle policies write them, read into rules that can be followed.

use std::collections::BTreeSet;
use std::time::Duration;

use berth_oci::TagPattern;
use serde::Deserialize;

use super::rules::{Measure, Rule, Selects};

/// The longest document, in bytes, as in ECR.
const LONGEST: usize = 30_720;
/// The most rules, as in ECR.
const MOST_RULES: usize = 50;
/// The most stars of a pattern, as in ECR.
const MOST_STARS: usize = 4;
const DAY: Duration = Duration::from_secs(24 * 3600);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    rules: Vec<Written>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Written {
    rule_priority: u32,
    #[serde(default, rename = "description")]
    _description: Option<String>,
    selection: Selection,
    action: Action,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Selection {
    tag_status: TagStatus,
    #[serde(default)]
    tag_pattern_list: Vec<String>,
    #[serde(default)]
    tag_prefix_list: Vec<String>,
    #[serde(default, rename = "storageClass")]
    _storage_class: Option<StorageClass>,
    count_type: CountType,
    #[serde(default)]
    count_unit: Option<CountUnit>,
    count_number: u64,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
enum TagStatus {
    Tagged,
    Untagged,
    Any,
}

/// Berth has no other.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum StorageClass {
    Standard,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
enum CountType {
    ImageCountMoreThan,
    SinceImagePushed,
    SinceImagePulled,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum CountUnit {
    Days,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Action {
    #[serde(rename = "type")]
    kind: ActionKind,
}

/// There is one storage class, so nothing moves to another.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum ActionKind {
    Expire,
}

/// The rules of a document, the first to be followed first; else one sentence on what is wrong.
pub(crate) fn parse(text: &str) -> Result<Vec<Rule>, String> {
    if text.len() > LONGEST {
        return Err(format!("a retention policy has at most {LONGEST} bytes"));
    }
    let document: Document =
        serde_json::from_str(text).map_err(|error| format!("the retention policy is not one: {error}"))?;
    if document.rules.is_empty() || document.rules.len() > MOST_RULES {
        return Err(format!("a retention policy has 1 to {MOST_RULES} rules"));
    }
    let mut rules = document.rules.into_iter().map(rule).collect::<Result<Vec<_>, _>>()?;
    rules.sort_by_key(|rule| rule.priority);
    check_together(&rules)?;
    Ok(rules)
}

fn rule(written: Written) -> Result<Rule, String> {
    let Written { rule_priority: priority, selection, action: Action { kind: ActionKind::Expire }, .. } =
        written;
    let wrong = |what: &str| Err(format!("rule {priority}: {what}"));
    if priority == 0 {
        return wrong("rulePriority begins at 1");
    }
    if selection.count_number == 0 {
        return wrong("countNumber begins at 1");
    }
    let (patterns, prefixes) = (&selection.tag_pattern_list, &selection.tag_prefix_list);
    let selects = match selection.tag_status {
        TagStatus::Tagged if patterns.is_empty() == prefixes.is_empty() => {
            return wrong("tagStatus tagged needs either tagPatternList or tagPrefixList");
        }
        TagStatus::Tagged => Selects::Tagged(tag_patterns(priority, patterns, prefixes)?),
        TagStatus::Untagged | TagStatus::Any if !patterns.is_empty() || !prefixes.is_empty() => {
            return wrong("tagPatternList and tagPrefixList go with tagStatus tagged only");
        }
        TagStatus::Untagged => Selects::Untagged,
        TagStatus::Any => Selects::Any,
    };
    let number = selection.count_number;
    let days = || DAY.saturating_mul(u32::try_from(number).unwrap_or(u32::MAX));
    let measure = match (selection.count_type, selection.count_unit) {
        (CountType::ImageCountMoreThan, None) => Measure::MoreThan(number),
        (CountType::ImageCountMoreThan, Some(_)) => return wrong("imageCountMoreThan takes no countUnit"),
        (CountType::SinceImagePushed, Some(CountUnit::Days)) => Measure::SincePushed(days()),
        (CountType::SinceImagePulled, Some(CountUnit::Days)) => Measure::SincePulled(days()),
        (CountType::SinceImagePushed | CountType::SinceImagePulled, None) => {
            return wrong("countUnit is missing; write days");
        }
    };
    Ok(Rule { priority, selects, measure })
}

fn tag_patterns(priority: u32, patterns: &[String], prefixes: &[String]) -> Result<Vec<TagPattern>, String> {
    let pattern = |text: &String| {
        TagPattern::parse(text, MOST_STARS).map_err(|_| {
            format!(
                "rule {priority}: {text:.80?} is no pattern of tags; it has 1 to 128 letters, digits and . _ - * \
                 and at most {MOST_STARS} *"
            )
        })
    };
    let prefix = |text: &String| {
        let wrong = || format!("rule {priority}: {text:.80?} is no prefix of a tag");
        if text.is_empty() || text.contains('*') {
            return Err(wrong());
        }
        TagPattern::parse(&format!("{text}*"), 1).map_err(|_| wrong())
    };
    patterns.iter().map(pattern).chain(prefixes.iter().map(prefix)).collect()
}

fn check_together(rules: &[Rule]) -> Result<(), String> {
    let priorities: BTreeSet<u32> = rules.iter().map(|rule| rule.priority).collect();
    if priorities.len() < rules.len() {
        return Err("each rule needs a rulePriority of its own".to_owned());
    }
    let untagged = rules.iter().filter(|rule| matches!(rule.selects, Selects::Untagged)).count();
    if untagged > 1 {
        return Err("only one rule can have tagStatus untagged".to_owned());
    }
    let any = rules.iter().position(|rule| matches!(rule.selects, Selects::Any));
    if any.is_some_and(|at| at + 1 < rules.len()) {
        return Err("a rule with tagStatus any must have the highest rulePriority".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(selection: &str) -> Result<Vec<Rule>, String> {
        parse(&format!(
            r#"{{"rules":[{{"rulePriority":1,"selection":{{{selection}}},"action":{{"type":"expire"}}}}]}}"#
        ))
    }

    #[test]
    fn each_form_of_a_rule_is_read() {
        let days = |number: u32| DAY * number;
        for (selection, measure) in [
            (r#""tagStatus":"any","countType":"imageCountMoreThan","countNumber":5"#, Measure::MoreThan(5)),
            (
                r#""tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":14"#,
                Measure::SincePushed(days(14)),
            ),
            (
                r#""tagStatus":"tagged","tagPrefixList":["v"],"countType":"sinceImagePulled","countUnit":"days","countNumber":1"#,
                Measure::SincePulled(days(1)),
            ),
            (
                r#""tagStatus":"tagged","tagPatternList":["*a*b*c*"],"storageClass":"standard","countType":"imageCountMoreThan","countNumber":1"#,
                Measure::MoreThan(1),
            ),
        ] {
            assert_eq!(one(selection).unwrap()[0].measure, measure, "{selection}");
        }
    }

    #[test]
    fn what_is_no_rule_is_refused_with_what_is_wrong() {
        let count = r#""countType":"imageCountMoreThan","countNumber":1"#;
        for (selection, wrong) in [
            (format!(r#""tagStatus":"tagged",{count}"#), "rule 1: tagStatus tagged needs either"),
            (format!(r#""tagStatus":"any","tagPrefixList":["v"],{count}"#), "rule 1: tagPatternList and"),
            (
                format!(r#""tagStatus":"any","countUnit":"days",{count}"#),
                "rule 1: imageCountMoreThan takes no",
            ),
            (format!(r#""tagStatus":"tagged","tagPatternList":["*****"],{count}"#), "is no pattern of tags"),
            (format!(r#""tagStatus":"tagged","tagPrefixList":["*"],{count}"#), "is no prefix of a tag"),
            (format!(r#""tagStatus":"any","storageClass":"archive",{count}"#), "unknown variant `archive`"),
            (format!(r#""tagStatus":"some",{count}"#), "unknown variant `some`"),
            (format!(r#""tagStatus":"any","unknown":1,{count}"#), "unknown field `unknown`"),
            (
                r#""tagStatus":"any","countType":"sinceImagePushed","countNumber":1"#.to_owned(),
                "rule 1: countUnit is missing",
            ),
            (
                r#""tagStatus":"any","countType":"imageCountMoreThan","countNumber":0"#.to_owned(),
                "rule 1: countNumber begins at 1",
            ),
        ] {
            let refused = one(&selection).unwrap_err();
            assert!(refused.contains(wrong), "{selection}: {refused}");
        }
    }

    #[test]
    fn rules_that_do_not_go_together_are_refused() {
        let rule = |priority: u32, status: &str| {
            format!(
                r#"{{"rulePriority":{priority},"selection":{{"tagStatus":"{status}","countType":"imageCountMoreThan","countNumber":1}},"action":{{"type":"expire"}}}}"#
            )
        };
        let several = |rules: &[String]| parse(&format!(r#"{{"rules":[{}]}}"#, rules.join(",")));
        for (rules, wrong) in [
            (vec![], "has 1 to 50 rules"),
            (vec![rule(1, "any"), rule(2, "untagged")], "must have the highest rulePriority"),
            (vec![rule(1, "untagged"), rule(2, "untagged")], "only one rule can have tagStatus untagged"),
            (vec![rule(1, "untagged"), rule(1, "any")], "each rule needs a rulePriority of its own"),
            (vec![rule(0, "any")], "rulePriority begins at 1"),
        ] {
            let refused = several(&rules).unwrap_err();
            assert!(refused.contains(wrong), "{refused}");
        }
        assert_eq!(several(&[rule(9, "any"), rule(3, "untagged")]).unwrap()[0].priority, 3);
        let other = several(&[rule(1, "any").replace("expire", "transition")]).unwrap_err();
        assert!(other.contains("unknown variant `transition`"), "{other}");
    }
}
