//! IAM's documented rules, one line a case.

use super::check;

const PUT: &str = "alice ecr:PutImage team-a/app";
const FIRST: &str = "allowed by a Statement[0]";

#[test]
fn a_deny_wins_then_any_allow_then_no() {
    check(&[
        ("Allow ecr:PutImage on *", PUT, FIRST),
        ("Deny ecr:PutImage on *", PUT, "denied by a Statement[0]"),
        ("Allow ecr:BatchGetImage on *", PUT, "no"),
        ("Allow ecr:PutImage on *; Deny ecr:PutImage on *", PUT, "denied by a Statement[1]"),
        ("Deny ecr:PutImage on *; Allow ecr:PutImage on *", PUT, "denied by a Statement[0]"),
        ("Deny ecr:PutImage on team-b/*; Allow ecr:PutImage on *", PUT, "allowed by a Statement[1]"),
        ("Allow ecr:PutImage on * || Deny ecr:PutImage on *", PUT, "denied by b Statement[0]"),
        ("Deny ecr:PutImage on * || Allow ecr:PutImage on *", PUT, "denied by a Statement[0]"),
        ("Allow ecr:PutImage on team-b/* || Allow ecr:PutImage on *", PUT, "allowed by b Statement[0]"),
        ("Allow ecr:PutImage on * as First; Allow ecr:PutImage on * as Second", PUT, "allowed by a First"),
        ("Allow ecr:PutImage on * as Yes; Deny ecr:Put* on team-a/* as No", PUT, "denied by a No"),
        ("Deny ecr:BatchGetImage on * || Allow ecr:PutImage on *", PUT, "allowed by b Statement[0]"),
    ]);
}

#[test]
fn identity_and_repository_policies_add_up() {
    check(&[
        ("Allow ecr:PutImage for alice", PUT, FIRST),
        ("Allow ecr:BatchGetImage on * || Allow ecr:PutImage for alice", PUT, "allowed by b Statement[0]"),
        ("Allow ecr:PutImage on * || Allow ecr:BatchGetImage for *", PUT, FIRST),
        ("Allow ecr:PutImage on * || Allow ecr:PutImage for *", PUT, FIRST),
        ("Allow ecr:PutImage on * || Deny ecr:PutImage for alice as No", PUT, "denied by b No"),
        ("Deny ecr:PutImage on * as No || Allow ecr:PutImage for alice", PUT, "denied by a No"),
        ("Allow ecr:PutImage on * || Deny ecr:PutImage for bob", PUT, FIRST),
        ("Allow ecr:BatchGetImage on * || Allow ecr:BatchGetImage for *", PUT, "no"),
    ]);
}

#[test]
fn actions_are_matched_with_wildcards_and_without_case() {
    check(&[
        ("Allow * on *", PUT, FIRST),
        ("Allow ecr:* on *", PUT, FIRST),
        ("Allow ECR:PUTIMAGE on *", PUT, FIRST),
        ("Allow ecr:putimage on *", PUT, FIRST),
        ("Allow ecr:Put* on *", PUT, FIRST),
        ("Allow ecr:*Image on *", PUT, FIRST),
        ("Allow ecr:P*t*e on *", PUT, FIRST),
        ("Allow ecr:Put????? on *", PUT, FIRST),
        ("Allow ecr:PutImag? on *", PUT, FIRST),
        ("Allow ecr:BatchGetImage|ecr:PutImage on *", PUT, FIRST),
        ("Allow ecr:Batch* on *", PUT, "no"),
        ("Allow ecr:PutImageTagMutability on *", PUT, "no"),
        ("Allow ecr:Put*Image?canning* on *", PUT, "no"),
        ("Allow s3:* on *", PUT, "no"),
        ("Allow s3:PutImage on *", PUT, "no"),
        ("Allow berth:* on *", PUT, "no"),
        ("Allow berth:* on *", "alice berth:ManageUsers -", FIRST),
        ("Allow ecr:* on *", "alice berth:ManageUsers -", "no"),
        ("Allow !ecr:BatchGetImage on *", PUT, FIRST),
        ("Allow !ecr:PutImage on *", PUT, "no"),
        ("Allow !ecr:Put*|ecr:Batch* on *", PUT, "no"),
        ("Allow !s3:* on *", PUT, FIRST),
        ("Allow !* on *", PUT, "no"),
        ("Deny !ecr:BatchGetImage on *", PUT, "denied by a Statement[0]"),
        ("Deny !ecr:Batch* on *; Allow * on *", "alice ecr:BatchGetImage a", "allowed by a Statement[1]"),
    ]);
}

#[test]
fn resources_are_matched_with_wildcards_and_with_case() {
    let app = |name: &str| format!("arn:aws:ecr:us-east-1:000000000000:repository/{name}");
    check(&[
        (&format!("Allow ecr:PutImage on {}", app("team-a/app")), PUT, FIRST),
        ("Allow ecr:PutImage on team-a/app", PUT, FIRST),
        ("Allow ecr:PutImage on team-a/*", PUT, FIRST),
        ("Allow ecr:PutImage on team-*", PUT, FIRST),
        ("Allow ecr:PutImage on *app", PUT, FIRST),
        ("Allow ecr:PutImage on *apple", PUT, "no"),
        ("Allow ecr:PutImage on arn:aws:ecr:us-east-1:000000000000:*app", PUT, FIRST),
        ("Allow ecr:PutImage on team-?/a?p", PUT, FIRST),
        ("Allow ecr:PutImage on t*m-a*a*p", PUT, FIRST),
        ("Allow ecr:PutImage on team-a/app?", PUT, "no"),
        ("Allow ecr:PutImage on team-a", PUT, "no"),
        ("Allow ecr:PutImage on team-a/", PUT, "no"),
        ("Allow ecr:PutImage on Team-a/*", PUT, "no"),
        ("Allow ecr:PutImage on team-b/*|team-a/*", PUT, FIRST),
        ("Allow ecr:PutImage on team-a/*", "alice ecr:PutImage team-a/b/c", FIRST),
        ("Allow ecr:PutImage on team-a/*", "alice ecr:PutImage team-ab/c", "no"),
        ("Allow ecr:PutImage on arn:aws:ecr:*:*:repository/team-a/app", PUT, FIRST),
        ("Allow ecr:PutImage on arn:*:ecr:*:*:repository/*", PUT, FIRST),
        ("Allow ecr:PutImage on arn:aws:ecr:us-*-1:00000000000?:repository/*", PUT, FIRST),
        ("Allow ecr:PutImage on arn:aws:ecr:eu-west-1:000000000000:repository/*", PUT, "no"),
        ("Allow ecr:PutImage on arn:aws:ecr:us-east-1:111111111111:repository/*", PUT, "no"),
        ("Allow ecr:PutImage on arn:aws-cn:ecr:us-east-1:000000000000:repository/*", PUT, "no"),
        ("Allow ecr:PutImage on arn:aws:s3:::*", PUT, "no"),
        // An incomplete ARN is completed with wildcards.
        ("Allow ecr:PutImage on arn:aws:ecr", PUT, FIRST),
        ("Allow ecr:PutImage on arn:aws:ecr:us-east-1", PUT, FIRST),
        ("Allow ecr:PutImage on arn:aws:ecr:*", PUT, FIRST),
        // A wildcard does not reach past a colon of the first five parts.
        ("Allow ecr:PutImage on arn:*:repository/team-a/app", PUT, "no"),
        ("Allow ecr:PutImage on arn:aws:ecr:*:repository/team-a/app", PUT, "no"),
        ("Allow ecr:PutImage on arn:aws:ecr:us-east-1:000000000000:*", PUT, FIRST),
        ("Allow ecr:PutImage on arn:aws:ecr:us-east-1:000000000000:re*/team-a/app", PUT, FIRST),
        ("Allow ecr:PutImage on !team-b/*", PUT, FIRST),
        ("Allow ecr:PutImage on !team-a/*", PUT, "no"),
        ("Allow ecr:PutImage on !team-b/*|team-a/*", PUT, "no"),
        ("Deny ecr:PutImage on !team-b/*; Allow * on *", PUT, "denied by a Statement[0]"),
    ]);
}

#[test]
fn the_registry_as_a_whole_is_a_resource_of_its_own() {
    let list = "alice ecr:DescribeRepositories -";
    check(&[
        ("Allow ecr:DescribeRepositories on *", list, FIRST),
        ("Allow ecr:DescribeRepositories on arn:aws:ecr:*:*:registry", list, FIRST),
        ("Allow ecr:DescribeRepositories on arn:aws:ecr:us-east-1:000000000000:*", list, FIRST),
        ("Allow ecr:DescribeRepositories on arn:aws:ecr:us-east-1:000000000000:reg*", list, FIRST),
        ("Allow ecr:DescribeRepositories on arn:aws:ecr:us-east-1:000000000000:repository/*", list, "no"),
        ("Allow ecr:DescribeRepositories on !team-a/*", list, FIRST),
        (
            "Allow ecr:DescribeRepositories on arn:aws:ecr:*:*:registry",
            "alice ecr:DescribeRepositories a",
            "no",
        ),
    ]);
}

#[test]
fn variables_stand_for_what_the_request_says() {
    let home = "alice ecr:PutImage home/alice/app";
    check(&[
        ("Allow ecr:PutImage on home/${aws:username}/*", home, FIRST),
        ("Allow ecr:PutImage on home/${aws:username}/*", "alice ecr:PutImage home/bob/app", "no"),
        ("Allow ecr:PutImage on home/${AWS:UserName}/*", home, FIRST),
        ("Allow ecr:PutImage on home/${aws:username}/app", home, FIRST),
        ("Allow ecr:PutImage on *${aws:username}*", home, FIRST),
        ("Allow ecr:PutImage on *${aws:username}*", "alice ecr:PutImage home/bob/app", "no"),
        ("Allow ecr:PutImage on ho*/${aws:username}/a?p", home, FIRST),
        ("Allow ecr:PutImage on ${aws:username}", "alice ecr:PutImage alice", FIRST),
        ("Allow ecr:PutImage on ${aws:username}*", "alice ecr:PutImage alice-2", FIRST),
        ("Allow ecr:PutImage on ${aws:userid}", "alice ecr:PutImage id-of-alice", FIRST),
        ("Allow ecr:PutImage on ${aws:PrincipalAccount}/*", "alice ecr:PutImage 000000000000/a", FIRST),
        // In the older version, and without one, they are text like other text.
        ("2008: Allow ecr:PutImage on home/${aws:username}/*", home, "no"),
        // Whoever is nobody has no name: the statement does not match.
        ("Allow ecr:PutImage on home/${aws:username}/*", "- ecr:PutImage home/alice/app", "no"),
        ("Allow ecr:PutImage on home/${aws:username,'guest'}/*", "- ecr:PutImage home/guest/app", FIRST),
        ("Allow ecr:PutImage on home/${aws:username,'guest'}/*", home, FIRST),
        ("Deny ecr:PutImage on !home/${aws:username}/*", home, "no"),
        ("Deny ecr:PutImage on !home/${aws:username}/*", PUT, "denied by a Statement[0]"),
        // ${*}, ${?} and ${$} are the characters themselves, which no repository's name has.
        ("Allow ecr:PutImage on team-a/${*}", PUT, "no"),
        ("Allow ecr:PutImage on team-a/ap${?}", PUT, "no"),
        ("Allow ecr:PutImage on * if StringEquals aws:username ${aws:username}", PUT, FIRST),
        ("Allow ecr:PutImage on * if StringEquals aws:username ${*}", PUT, "no"),
        ("Allow ecr:PutImage on * if StringLike aws:PrincipalArn *:user/${aws:username}", PUT, FIRST),
        ("Allow ecr:PutImage on * if StringLike aws:PrincipalArn *:user/${*}", PUT, "no"),
        ("Allow ecr:PutImage on * if StringEquals aws:SourceIp ${aws:SourceIp}", PUT, "no"),
        (
            "Allow ecr:PutImage on * if ArnLike aws:PrincipalArn arn:aws:iam::000000000000:user/${aws:username}",
            PUT,
            FIRST,
        ),
    ]);
}

#[test]
fn principals_say_whom_a_repositorys_policy_speaks_of() {
    let account = "arn:aws:iam::000000000000:root";
    check(&[
        ("Allow ecr:PutImage for *", PUT, FIRST),
        ("Allow ecr:PutImage for *", "- ecr:PutImage team-a/app", FIRST),
        ("Allow ecr:PutImage for alice", PUT, FIRST),
        ("Allow ecr:PutImage for bob", PUT, "no"),
        ("Allow ecr:PutImage for bob|alice", PUT, FIRST),
        ("Allow ecr:PutImage for alice", "- ecr:PutImage team-a/app", "no"),
        ("Allow ecr:PutImage for 000000000000", PUT, FIRST),
        ("Allow ecr:PutImage for 111111111111", PUT, "no"),
        (&format!("Allow ecr:PutImage for {account}"), PUT, FIRST),
        (&format!("Allow ecr:PutImage for {account}"), "- ecr:PutImage team-a/app", "no"),
        ("Allow ecr:PutImage for arn:aws:iam::111111111111:root", PUT, "no"),
        ("Allow ecr:PutImage for arn:aws:iam::111111111111:user/alice", PUT, "no"),
        ("Allow ecr:PutImage for arn:aws:iam::000000000000:role/alice", PUT, "no"),
        ("Allow ecr:PutImage for arn:aws:sts::000000000000:assumed-role/alice/x", PUT, "no"),
        ("Deny ecr:PutImage for !alice", PUT, "no"),
        ("Deny ecr:PutImage for !alice", "bob ecr:PutImage a", "denied by a Statement[0]"),
        ("Deny ecr:PutImage for !alice", "- ecr:PutImage a", "denied by a Statement[0]"),
        ("Allow ecr:PutImage for !alice", PUT, "no"),
        ("Allow ecr:PutImage for !bob", PUT, FIRST),
        ("Deny ecr:PutImage for !000000000000", PUT, "no"),
        ("Deny ecr:PutImage for !000000000000", "- ecr:PutImage a", "denied by a Statement[0]"),
        ("Allow ecr:* for alice", "alice ecr:BatchDeleteImage a", FIRST),
        ("Allow * for alice", "alice ecr:BatchDeleteImage a", FIRST),
    ]);
}

/// Each row is the condition of `Allow ecr:PutImage on *`, what follows the request of [`PUT`], and
/// whether it holds.
#[track_caller]
fn check_conditions(rows: &[(&str, &str, bool)]) {
    for (condition, circumstances, holds) in rows {
        let documents = format!("Allow ecr:PutImage on * {condition}");
        let expected = if *holds { FIRST } else { "no" };
        check(&[(&documents, &format!("{PUT} {circumstances}"), expected)]);
    }
}

#[test]
fn text_is_compared_as_the_operator_says() {
    check_conditions(&[
        ("if StringEquals aws:username alice", "", true),
        ("if StringEquals aws:username Alice", "", false),
        ("if StringEquals aws:username al*", "", false),
        ("if StringEquals aws:username bob|alice", "", true),
        ("if StringEquals aws:username bob|carol", "", false),
        ("if StringEquals AWS:USERNAME alice", "", true),
        ("if StringNotEquals aws:username alice", "", false),
        ("if StringNotEquals aws:username bob", "", true),
        ("if StringNotEquals aws:username bob|carol", "", true),
        ("if StringNotEquals aws:username bob|alice", "", false),
        ("if StringEqualsIgnoreCase aws:username ALICE", "", true),
        ("if StringEqualsIgnoreCase aws:username AL*", "", false),
        ("if StringNotEqualsIgnoreCase aws:username ALICE", "", false),
        ("if StringNotEqualsIgnoreCase aws:username BOB", "", true),
        ("if StringEqualsIgnoreCase aws:username ${aws:username}", "", true),
        ("if StringLike aws:username al*", "", true),
        ("if StringLike aws:username AL*", "", false),
        ("if StringLike aws:username ?lic?", "", true),
        ("if StringLike aws:username ?lice?", "", false),
        ("if StringLike aws:username *", "", true),
        ("if StringNotLike aws:username al*", "", false),
        ("if StringNotLike aws:username bo*", "", true),
        ("if StringEquals aws:userid id-of-alice", "", true),
        ("if StringEquals aws:PrincipalType User", "", true),
        ("if StringEquals aws:PrincipalAccount 000000000000", "", true),
        ("if StringEquals aws:ResourceAccount ${aws:PrincipalAccount}", "", true),
        ("if StringEquals aws:RequestedRegion us-east-1", "", true),
        ("if StringLike aws:SourceIp 10.1.*", "from 10.1.2.3", true),
        ("if StringEquals aws:SecureTransport true", "over tls", true),
        ("if StringEquals aws:CurrentTime 2026-01-31T12:00:00Z", "at 2026-01-31T12:00:00Z", true),
    ]);
}

#[test]
fn conditions_all_must_hold_and_of_their_values_one() {
    check_conditions(&[
        ("if StringEquals aws:username alice if Bool aws:SecureTransport true", "over tls", true),
        ("if StringEquals aws:username alice if Bool aws:SecureTransport true", "", false),
        ("if StringEquals aws:username bob if Bool aws:SecureTransport true", "over tls", false),
        ("if StringEquals aws:username alice if StringEquals aws:userid id-of-alice", "", true),
        ("if StringEquals aws:username alice if StringEquals aws:userid id-of-bob", "", false),
        ("if StringLike aws:username a* if StringNotLike aws:username al*", "", false),
    ]);
}

#[test]
fn addresses_are_compared_with_networks() {
    check_conditions(&[
        ("if IpAddress aws:SourceIp 10.0.0.0/8", "from 10.1.2.3", true),
        ("if IpAddress aws:SourceIp 10.0.0.0/8", "from 11.1.2.3", false),
        ("if IpAddress aws:SourceIp 10.1.2.3", "from 10.1.2.3", true),
        ("if IpAddress aws:SourceIp 10.1.2.3/32", "from 10.1.2.4", false),
        ("if IpAddress aws:SourceIp 192.168.0.0/16|10.0.0.0/8", "from 10.1.2.3", true),
        ("if IpAddress aws:SourceIp 0.0.0.0/0", "from 10.1.2.3", true),
        ("if IpAddress aws:SourceIp 0.0.0.0/0", "from 2001:db8::1", false),
        ("if IpAddress aws:SourceIp 2001:db8::/32", "from 2001:db8::1", true),
        ("if IpAddress aws:SourceIp 2001:db8::/32", "from 2001:db9::1", false),
        ("if IpAddress aws:SourceIp 10.0.0.0/8", "from ::ffff:10.1.2.3", true),
        ("if IpAddress aws:SourceIp 10.0.0.0/8", "", false),
        ("if NotIpAddress aws:SourceIp 10.0.0.0/8", "from 10.1.2.3", false),
        ("if NotIpAddress aws:SourceIp 10.0.0.0/8", "from 11.1.2.3", true),
        ("if NotIpAddress aws:SourceIp 10.0.0.0/8|11.0.0.0/8", "from 11.1.2.3", false),
        ("if NotIpAddress aws:SourceIp 10.0.0.0/8", "", true),
    ]);
}

#[test]
fn moments_and_numbers_are_compared_in_order() {
    let noon = "at 2026-01-31T12:00:00Z";
    check_conditions(&[
        ("if DateLessThan aws:CurrentTime 2026-01-31T12:00:01Z", noon, true),
        ("if DateLessThan aws:CurrentTime 2026-01-31T12:00:00Z", noon, false),
        ("if DateLessThanEquals aws:CurrentTime 2026-01-31T12:00:00Z", noon, true),
        ("if DateGreaterThan aws:CurrentTime 2026-01-31", noon, true),
        ("if DateGreaterThan aws:CurrentTime 2026-02-01", noon, false),
        ("if DateGreaterThanEquals aws:CurrentTime 2026-01-31T13:00:00+01:00", noon, true),
        ("if DateEquals aws:CurrentTime 1769860800", noon, true),
        ("if DateNotEquals aws:CurrentTime 1769860800", noon, false),
        ("if DateLessThan aws:EpochTime 2027-01-01T00:00:00Z", noon, true),
        ("if NumericLessThan aws:EpochTime 1769860801", noon, true),
        ("if NumericLessThan aws:EpochTime 1769860800", noon, false),
        ("if NumericLessThanEquals aws:EpochTime 1769860800", noon, true),
        ("if NumericGreaterThan aws:EpochTime 1769860799.5", noon, true),
        ("if NumericGreaterThanEquals aws:EpochTime 1769860801", noon, false),
        ("if NumericEquals aws:EpochTime 1769860800", noon, true),
        ("if NumericEquals aws:EpochTime 1|1769860800", noon, true),
        ("if NumericNotEquals aws:EpochTime 1769860800", noon, false),
        ("if NumericNotEquals aws:EpochTime 1", noon, true),
        (
            "if DateGreaterThan aws:CurrentTime 2026-01-01 if DateLessThan aws:CurrentTime 2026-02-01",
            noon,
            true,
        ),
    ]);
}

#[test]
fn truths_and_presence_are_asked_for() {
    check_conditions(&[
        ("if Bool aws:SecureTransport true", "over tls", true),
        ("if Bool aws:SecureTransport true", "", false),
        ("if Bool aws:SecureTransport false", "", true),
        ("if Bool aws:SecureTransport TRUE", "over tls", true),
        ("if Bool aws:SecureTransport true|false", "", true),
        ("if Bool aws:ViaAWSService false", "", true),
        ("if Bool aws:PrincipalIsAWSService true", "", false),
        ("if Null aws:SourceIp true", "", true),
        ("if Null aws:SourceIp true", "from 10.0.0.1", false),
        ("if Null aws:SourceIp false", "", false),
        ("if Null aws:SourceIp false", "from 10.0.0.1", true),
        ("if Null aws:username false", "", true),
    ]);
    check(&[
        ("Deny * on * if Bool aws:SecureTransport false", PUT, "denied by a Statement[0]"),
        (
            "Deny * on * if Bool aws:SecureTransport false; Allow * on *",
            &format!("{PUT} over tls"),
            "allowed by a Statement[1]",
        ),
        ("Allow * on * if Null aws:username true", "- ecr:PutImage a", FIRST),
        ("Allow * on * if StringEquals aws:PrincipalType Anonymous", "- ecr:PutImage a", FIRST),
    ]);
}

#[test]
fn arns_are_compared_part_by_part() {
    check_conditions(&[
        ("if ArnEquals aws:PrincipalArn arn:aws:iam::000000000000:user/alice", "", true),
        ("if ArnEquals aws:PrincipalArn arn:aws:iam::000000000000:user/*", "", true),
        ("if ArnLike aws:PrincipalArn arn:aws:iam::*:user/al?ce", "", true),
        ("if ArnLike aws:PrincipalArn arn:aws:iam::000000000000:user/bob", "", false),
        ("if ArnLike aws:PrincipalArn arn:aws:iam::000000000000:USER/alice", "", false),
        ("if ArnLike aws:PrincipalArn arn:aws:*:user/alice", "", false),
        ("if ArnLike aws:PrincipalArn *", "", true),
        ("if ArnNotEquals aws:PrincipalArn arn:aws:iam::000000000000:user/bob", "", true),
        ("if ArnNotLike aws:PrincipalArn arn:aws:iam::*:user/*", "", false),
        ("if StringLike aws:PrincipalArn arn:aws:*:user/alice", "", true),
    ]);
}

/// Nobody has neither a name nor an ARN, and the request comes from nowhere.
#[test]
fn a_key_without_a_value_fails_what_asks_for_one_and_passes_what_asks_for_none() {
    for (condition, holds) in [
        ("StringEquals aws:username alice", false),
        ("StringLike aws:username *", false),
        ("StringEqualsIgnoreCase aws:username alice", false),
        ("StringNotEquals aws:username alice", true),
        ("StringNotLike aws:username *", true),
        ("ArnEquals aws:PrincipalArn *", false),
        ("ArnNotEquals aws:PrincipalArn *", true),
        ("IpAddress aws:SourceIp 0.0.0.0/0", false),
        ("NotIpAddress aws:SourceIp 0.0.0.0/0", true),
        ("StringEqualsIfExists aws:username alice", true),
        ("StringLikeIfExists aws:username b*", true),
        ("StringNotEqualsIfExists aws:username alice", true),
        ("ArnLikeIfExists aws:PrincipalArn arn:aws:iam::000000000000:user/bob", true),
        ("IpAddressIfExists aws:SourceIp 10.0.0.0/8", true),
        ("ForAnyValue:StringEquals aws:username alice", false),
        ("ForAnyValue:StringNotEquals aws:username alice", false),
        ("ForAllValues:StringEquals aws:username alice", true),
        ("ForAllValues:StringNotEquals aws:username alice", true),
        ("ForAnyValue:StringEqualsIfExists aws:username alice", true),
    ] {
        let documents = format!("Allow ecr:PutImage on * if {condition}");
        check(&[(&documents, "- ecr:PutImage a", if holds { FIRST } else { "no" })]);
    }
}

#[test]
fn if_exists_and_the_quantifiers_compare_what_is_there() {
    check_conditions(&[
        ("if StringEqualsIfExists aws:username alice", "", true),
        ("if StringEqualsIfExists aws:username bob", "", false),
        ("if StringNotEqualsIfExists aws:username alice", "", false),
        ("if IpAddressIfExists aws:SourceIp 10.0.0.0/8", "from 11.0.0.1", false),
        ("if BoolIfExists aws:SecureTransport true", "", false),
        ("if DateLessThanIfExists aws:CurrentTime 2026-01-01", "at 2026-02-01", false),
        ("if NumericEqualsIfExists aws:EpochTime 0", "", true),
        ("if ForAnyValue:StringEquals aws:username alice|bob", "", true),
        ("if ForAnyValue:StringEquals aws:username bob", "", false),
        ("if ForAllValues:StringLike aws:username a*", "", true),
        ("if ForAllValues:StringLike aws:username b*", "", false),
        ("if ForAnyValue:StringNotEquals aws:username alice", "", false),
        ("if ForAllValues:IpAddress aws:SourceIp 10.0.0.0/8", "from 10.0.0.1", true),
    ]);
}
