//! Broken documents: each is refused with the place, and what was expected there.

use super::*;

/// JSON with single quotes for double ones.
fn json_of(text: &str) -> String {
    text.replace('\'', "\"")
}

#[track_caller]
fn refused_identity(text: &str) -> String {
    IdentityPolicy::parse(&json_of(text), &account()).expect_err(text).to_string()
}

#[track_caller]
fn refused_repository(text: &str) -> String {
    RepositoryPolicy::parse(&json_of(text), &account()).expect_err(text).to_string()
}

const GOOD: &str = "'Effect':'Allow','Action':'ecr:PutImage','Resource':'*'";

#[test]
fn what_is_no_document_is_refused() {
    for (text, sentence) in [
        ("", "the document: expected JSON, found EOF while parsing a value at line 1 column 0"),
        ("{", "the document: expected JSON, found EOF while parsing an object at line 1 column 1"),
        ("[]", "the document: expected an object, found an empty array"),
        ("'Allow'", "the document: expected an object, found 'Allow'"),
        ("null", "the document: expected an object, found null"),
        ("{}", "the document: expected the element Statement, found none"),
        ("{'Version':'2012-10-17'}", "the document: expected the element Statement, found none"),
        ("{'Statement':[]}", "Statement: expected at least one value, found an empty array"),
        ("{'Statement':'x'}", "Statement: expected an object, found 'x'"),
        ("{'Statement':[null]}", "Statement[0]: expected an object, found null"),
        (
            "{'Version':'2013-01-01','Statement':[]}",
            "Version: expected \"2012-10-17\" or \"2008-10-17\", found '2013-01-01'",
        ),
        ("{'Version':2012,'Statement':[]}", "Version: expected \"2012-10-17\" or \"2008-10-17\", found 2012"),
        ("{'Id':7,'Statement':[]}", "Id: expected text, found 7"),
        (
            "{'Statements':[]}",
            "Statements: expected only the elements Version, Id, Statement, found an unknown element",
        ),
        (
            "{'statement':[]}",
            "statement: expected only the elements Version, Id, Statement, found an unknown element",
        ),
        ("{'Statement':[],'Statement':[]}", "Statement: expected it once, found it twice"),
    ] {
        assert_eq!(refused_identity(text), sentence, "{text}");
    }
    let long = format!("{{'Id':'{}'}}", "x".repeat(MAX_DOCUMENT_BYTES));
    let found = long.len();
    let sentence = format!("the document: expected at most 10240 bytes, found {found}");
    assert_eq!(refused_identity(&long), sentence);
}

#[test]
fn a_broken_statement_is_refused_with_its_place() {
    let elements = "only the elements Sid, Effect, Principal, NotPrincipal, Action, NotAction, Resource, \
                    NotResource, Condition";
    let action = "an action such as ecr:PutImage, ecr:Get* or *";
    let there = "an action that there is, as ECR names it";
    let arn = "* or an ARN such as arn:aws:ecr:us-east-1:000000000000:repository/team-a/*";
    let kind = "repository/<name> or registry after the ARN's account";
    let variable = "in ${…} a condition key, such as ${aws:username}, or one of * ? $";
    for (statement, place, expected, found) in [
        ("'Effekt':'Allow'", ".Effekt", elements, "an unknown element"),
        ("'Action':'*','Resource':'*'", "", "the element Effect", "none"),
        ("'Effect':'allow'", ".Effect", "\"Allow\" or \"Deny\"", "'allow'"),
        ("'Effect':true", ".Effect", "\"Allow\" or \"Deny\"", "true"),
        ("'Effect':'Allow','Resource':'*'", "", "either Action or NotAction", "neither"),
        (
            "'Effect':'Allow','Action':'*','NotAction':'*','Resource':'*'",
            "",
            "either Action or NotAction",
            "both",
        ),
        ("'Effect':'Allow','Action':'*'", "", "either Resource or NotResource", "neither"),
        (
            "'Effect':'Allow','Action':'*','Resource':'*','NotResource':'*'",
            "",
            "either Resource or NotResource",
            "both",
        ),
        ("'Effect':'Allow','Action':[],'Resource':'*'", ".Action", "at least one value", "an empty array"),
        ("'Effect':'Allow','Action':'PutImage','Resource':'*'", ".Action", action, "'PutImage'"),
        ("'Effect':'Allow','Action':'ecr:','Resource':'*'", ".Action", action, "'ecr:'"),
        ("'Effect':'Allow','Action':'*:PutImage','Resource':'*'", ".Action", action, "'*:PutImage'"),
        ("'Effect':'Allow','Action':'ecr:Put Image','Resource':'*'", ".Action", action, "'ecr:Put Image'"),
        ("'Effect':'Allow','Action':['*',3],'Resource':'*'", ".Action[1]", action, "3"),
        ("'Effect':'Allow','Action':'ecr:PutImages','Resource':'*'", ".Action", there, "'ecr:PutImages'"),
        (
            "'Effect':'Allow','NotAction':['*','ecr:Putt*'],'Resource':'*'",
            ".NotAction[1]",
            there,
            "'ecr:Putt*'",
        ),
        ("'Effect':'Allow','Action':'berth:Fly','Resource':'*'", ".Action", there, "'berth:Fly'"),
        ("'Effect':'Allow','Action':'*','Resource':'team-a/*'", ".Resource", arn, "'team-a/*'"),
        ("'Effect':'Allow','Action':'*','Resource':{}", ".Resource", arn, "an object"),
        ("'Effect':'Allow','Action':'*','Resource':['*','x']", ".Resource[1]", arn, "'x'"),
        (
            "'Effect':'Allow','Action':'*','Resource':'arn:aws:ecr:*:*:team-a/*'",
            ".Resource",
            kind,
            "'arn:aws:ecr:*:*:team-a/*'",
        ),
        (
            "'Effect':'Allow','Action':'*','Resource':'arn:aws:ecr:*:*:repositories'",
            ".Resource",
            kind,
            "'arn:aws:ecr:*:*:repositories'",
        ),
        (
            "'Effect':'Allow','Action':'*','Resource':'arn:aws:ecr:*:*:repository/${aws:user}'",
            ".Resource",
            variable,
            "'arn:aws:ecr:*:*:repository/${aws:user}'",
        ),
        (
            "'Effect':'Allow','Action':'*','Resource':'arn:aws:ecr:*:*:repository/${aws:username'",
            ".Resource",
            "a } for each ${",
            "'arn:aws:ecr:*:*:repository/${aws:username'",
        ),
        (
            "'Effect':'Allow','Action':'*','Resource':'arn:aws:ecr:*:${aws:PrincipalAccount}:repository/x'",
            ".Resource",
            "variables only after an ARN's account",
            "'arn:aws:ecr:*:${aws:PrincipalAccount}:repository/x'",
        ),
        ("'Sid':'a.b'", ".Sid", "1 to 128 letters, digits, spaces, '-' and '_'", "'a.b'"),
        ("'Sid':1", ".Sid", "1 to 128 letters, digits, spaces, '-' and '_'", "1"),
        ("'Effect':'Allow','Effect':'Deny'", ".Effect", "it once", "it twice"),
        (
            "'Effect':'Allow','Action':'*','Resource':'*','Principal':'*'",
            ".Principal",
            "no principal: an identity policy speaks of whom it is attached to",
            "one",
        ),
        (
            "'Effect':'Allow','Action':'*','Resource':'*','NotPrincipal':'*'",
            ".NotPrincipal",
            "no principal: an identity policy speaks of whom it is attached to",
            "one",
        ),
    ] {
        let text = format!("{{'Version':'2012-10-17','Statement':[{{{GOOD}}},{{{statement}}}]}}");
        assert_eq!(
            refused_identity(&text),
            format!("Statement[1]{place}: expected {expected}, found {found}")
        );
    }
    let twice = format!("{{'Statement':[{{'Sid':'A',{GOOD}}},{{'Sid':'A',{GOOD}}}]}}");
    assert_eq!(
        refused_identity(&twice),
        "Statement[1].Sid: expected a Sid that no other statement of the document has, found 'A'"
    );
}

#[test]
fn a_statement_that_is_no_list_is_named_without_a_number() {
    assert_eq!(
        refused_identity("{'Statement':{'Effect':'No'}}"),
        "Statement.Effect: expected \"Allow\" or \"Deny\", found 'No'"
    );
}

#[test]
fn a_broken_condition_is_refused_with_its_place() {
    let operator = "an operator such as StringEquals, ArnLike, IpAddress, Bool, DateLessThan or Null";
    let network = "an address or a network, such as 10.0.0.0/8 or 2001:db8::/32";
    let moment = "a moment such as 2026-01-31T12:00:00Z, or seconds since the epoch";
    let arn = "* or an ARN such as arn:aws:ecr:us-east-1:000000000000:repository/team-a/*";
    for (condition, place, expected, found) in [
        ("[]", "", "an object of operators", "an empty array"),
        ("{'StringEqual':{}}", ".StringEqual", operator, "the unknown operator 'StringEqual'"),
        ("{'stringequals':{}}", ".stringequals", operator, "the unknown operator 'stringequals'"),
        ("{'BinaryEquals':{}}", ".BinaryEquals", operator, "the unknown operator 'BinaryEquals'"),
        ("{'NullIfExists':{}}", ".NullIfExists", operator, "the unknown operator 'NullIfExists'"),
        (
            "{'ForSomeValues:Bool':{}}",
            ".ForSomeValues:Bool",
            operator,
            "the unknown operator 'ForSomeValues:Bool'",
        ),
        ("{'ForAnyValue:Null':{}}", ".ForAnyValue:Null", operator, "the unknown operator 'ForAnyValue:Null'"),
        ("{'NumericLike':{}}", ".NumericLike", operator, "the unknown operator 'NumericLike'"),
        ("{'Bool':[]}", ".Bool", "an object of condition keys", "an empty array"),
        ("{'IpAddress':{'aws:SourceIp':'10.0.0.0/33'}}", ".IpAddress.aws:SourceIp", network, "'10.0.0.0/33'"),
        (
            "{'IpAddress':{'aws:SourceIp':['10.0.0.0/8','ten']}}",
            ".IpAddress.aws:SourceIp[1]",
            network,
            "'ten'",
        ),
        (
            "{'IpAddress':{'aws:SourceIp':[]}}",
            ".IpAddress.aws:SourceIp",
            "at least one value",
            "an empty array",
        ),
        (
            "{'IpAddress':{'aws:username':'10.0.0.0/8'}}",
            ".IpAddress.aws:username",
            "a String operator or Null",
            "an operator for other values",
        ),
        (
            "{'NumericEquals':{'aws:SourceIp':1}}",
            ".NumericEquals.aws:SourceIp",
            "IpAddress, NotIpAddress, a String operator or Null",
            "an operator for other values",
        ),
        ("{'Bool':{'aws:SecureTransport':'yes'}}", ".Bool.aws:SecureTransport", "true or false", "'yes'"),
        ("{'Null':{'aws:username':null}}", ".Null.aws:username", "true or false", "null"),
        (
            "{'DateLessThan':{'aws:CurrentTime':'tomorrow'}}",
            ".DateLessThan.aws:CurrentTime",
            moment,
            "'tomorrow'",
        ),
        (
            "{'NumericLessThan':{'aws:EpochTime':'many'}}",
            ".NumericLessThan.aws:EpochTime",
            "a number",
            "'many'",
        ),
        (
            "{'NumericLessThan':{'aws:EpochTime':'inf'}}",
            ".NumericLessThan.aws:EpochTime",
            "a number",
            "'inf'",
        ),
        ("{'ArnLike':{'aws:PrincipalArn':'alice'}}", ".ArnLike.aws:PrincipalArn", arn, "'alice'"),
        ("{'StringEquals':{'aws:username':{}}}", ".StringEquals.aws:username", "text", "an object"),
        (
            "{'StringEquals':{'aws:username':'${x}'}}",
            ".StringEquals.aws:username",
            "in ${…} a condition key, such as ${aws:username}, or one of * ? $",
            "'${x}'",
        ),
        (
            "{'StringEquals':{'aws:username':'a','aws:username':'b'}}",
            ".StringEquals.aws:username",
            "it once",
            "it twice",
        ),
        ("{'Bool':{},'Bool':{}}", ".Bool", "it once", "it twice"),
    ] {
        let text =
            format!("{{'Version':'2012-10-17','Statement':[{{{GOOD}}},{{{GOOD},'Condition':{condition}}}]}}");
        let sentence = format!("Statement[1].Condition{place}: expected {expected}, found {found}");
        assert_eq!(refused_identity(&text), sentence);
    }
    let unknown =
        format!("{{'Statement':{{{GOOD},'Condition':{{'StringEquals':{{'aws:SourceVpc':'x'}}}}}}}}");
    let sentence = refused_identity(&unknown);
    assert!(
        sentence.starts_with("Statement.Condition.StringEquals.aws:SourceVpc: expected one of the keys aws:"),
        "{sentence}"
    );
    assert!(sentence.ends_with("found a key that this registry has no value for"), "{sentence}");
}

#[test]
fn a_repositorys_policy_is_refused_for_what_only_it_may_not_have() {
    let principal = "\"*\" or an object such as {\"AWS\": \"arn:aws:iam::000000000000:user/alice\"}";
    let aws = "*, an account of twelve digits, or an ARN such as arn:aws:iam::000000000000:user/alice or \
               arn:aws:iam::000000000000:root";
    for (statement, place, expected, found) in [
        (
            "'Principal':'*','Action':'ecr:*','Resource':'*'",
            ".Resource",
            "no resource: a repository's policy speaks of its repository",
            "one",
        ),
        (
            "'Principal':'*','Action':'ecr:*','NotResource':'*'",
            ".NotResource",
            "no resource: a repository's policy speaks of its repository",
            "one",
        ),
        ("'Action':'ecr:*'", "", "either Principal or NotPrincipal", "neither"),
        (
            "'Principal':'*','NotPrincipal':'*','Action':'ecr:*'",
            "",
            "either Principal or NotPrincipal",
            "both",
        ),
        ("'Principal':'*','Action':'s3:*'", ".Action", "actions of ecr", "'s3:*'"),
        ("'Principal':'*','Action':'berth:*'", ".Action", "actions of ecr", "'berth:*'"),
        ("'Principal':'alice','Action':'ecr:*'", ".Principal", principal, "'alice'"),
        ("'Principal':['*'],'Action':'ecr:*'", ".Principal", principal, "an array"),
        ("'Principal':{},'Action':'ecr:*'", ".Principal", principal, "an empty object"),
        ("'Principal':{'AWS':[]},'Action':'ecr:*'", ".Principal.AWS", "at least one value", "an empty array"),
        (
            "'Principal':{'Aws':'*'},'Action':'ecr:*'",
            ".Principal.Aws",
            "AWS, Service, Federated or CanonicalUser",
            "an unknown kind",
        ),
        ("'Principal':{'AWS':'alice'},'Action':'ecr:*'", ".Principal.AWS", aws, "'alice'"),
        ("'Principal':{'AWS':['*','123']},'Action':'ecr:*'", ".Principal.AWS[1]", aws, "'123'"),
        (
            "'Principal':{'AWS':'arn:aws:iam::000000000000:user/*'},'Action':'ecr:*'",
            ".Principal.AWS",
            aws,
            "'arn:aws:iam::000000000000:user/*'",
        ),
        (
            "'Principal':{'AWS':'arn:aws:iam::000000000000:group/a'},'Action':'ecr:*'",
            ".Principal.AWS",
            aws,
            "'arn:aws:iam::000000000000:group/a'",
        ),
        (
            "'NotPrincipal':{'AWS':'arn:aws:s3:::x'},'Action':'ecr:*'",
            ".NotPrincipal.AWS",
            aws,
            "'arn:aws:s3:::x'",
        ),
    ] {
        let text = format!("{{'Statement':{{'Effect':'Allow',{statement}}}}}");
        assert_eq!(
            refused_repository(&text),
            format!("Statement{place}: expected {expected}, found {found}")
        );
    }
}

#[test]
fn the_documents_of_awss_own_guides_are_taken() {
    for text in [
        // A repository policy of the ECR user guide.
        "{'Version':'2012-10-17','Statement':[{'Sid':'AllowPull','Effect':'Allow','Principal':{'AWS':['arn:aws:iam::123456789012:user/push-pull-user-1','arn:aws:iam::123456789012:root']},'Action':['ecr:BatchGetImage','ecr:BatchCheckLayerAvailability','ecr:GetDownloadUrlForLayer']}]}",
        "{'Version':'2012-10-17','Statement':[{'Sid':'LambdaECRImageRetrievalPolicy','Effect':'Allow','Principal':{'Service':'lambda.amazonaws.com'},'Action':['ecr:BatchGetImage','ecr:GetDownloadUrlForLayer']}]}",
        "{'Version':'2008-10-17','Statement':[{'Sid':'ECR Repository Policy','Effect':'Deny','Principal':'*','Action':'ecr:*','Condition':{'NotIpAddress':{'aws:SourceIp':['54.240.143.0/24','2001:DB8:1234:5678::/64']}}}]}",
        "{'Version':'2008-10-17','Statement':[{'Sid':'new statement','Effect':'Allow','Principal':'*','Action':['ecr:DescribeImages','ecr:DescribeRepositories']}]}",
    ] {
        RepositoryPolicy::parse(&json_of(text), &account()).unwrap();
    }
    for text in [
        "{'Version':'2012-10-17','Statement':[{'Sid':'ListImagesInRepository','Effect':'Allow','Action':['ecr:ListImages'],'Resource':'arn:aws:ecr:us-east-1:123456789012:repository/my-repo'},{'Sid':'GetAuthorizationToken','Effect':'Allow','Action':['ecr:GetAuthorizationToken'],'Resource':'*'}]}",
        "{'Version':'2012-10-17','Statement':[{'Effect':'Allow','Action':['ecr:*','cloudtrail:LookupEvents'],'Resource':'*'}]}",
    ] {
        IdentityPolicy::parse(&json_of(text), &account()).unwrap();
    }
}
