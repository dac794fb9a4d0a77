#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use crate::{Operation, Violation};

const ARN: &str = "arn:aws:kinesisvideo:us-east-1:123456789012:stream/front-door/1511852109000";

fn members(operation: Operation, request: &Value) -> Vec<String> {
    operation.check(request).into_iter().map(|Violation { member, .. }| member).collect()
}

#[test]
fn requests_that_the_service_accepts_pass() {
    let good = [
        (
            Operation::CreateStream,
            json!({"StreamName": "a.b_c-1", "Tags": {"Größe": "1 m"}, "MediaType": "video/h264,audio/aac"}),
        ),
        (Operation::ListStreams, json!({})),
        (
            Operation::ListStreams,
            json!({"MaxResults": 10_000, "StreamNameCondition": {"ComparisonOperator": "BEGINS_WITH", "ComparisonValue": "x"}}),
        ),
        (Operation::DescribeStream, json!({"StreamARN": ARN})),
        (Operation::DeleteStream, json!({"StreamARN": ARN, "CurrentVersion": null})),
        (Operation::GetMedia, json!({"StreamName": "s", "StartSelector": {"StartSelectorType": "NOW"}})),
        (
            Operation::GetMedia,
            json!({"StreamARN": ARN, "StartSelector": {"StartSelectorType": "SERVER_TIMESTAMP", "StartTimestamp": 1.5}}),
        ),
        (Operation::GetMediaForFragmentList, json!({"StreamName": "s", "Fragments": ["1", "2"]})),
        (Operation::ListFragments, json!({"StreamName": "s", "Unknown": 1})),
    ];
    for (operation, request) in good {
        assert_eq!(operation.check(&request), [], "{request}");
    }
}

#[test]
fn all_violations_are_found_at_once() {
    let request = json!({
        "StreamName": "no space",
        "StartSelector": {
            "StartSelectorType": "CONTINUATION_TOKEN", "AfterFragmentNumber": "12x", "StartTimestamp": "now"
        }
    });
    let expected = [
        "StreamName",
        "StartSelector.AfterFragmentNumber",
        "StartSelector.StartTimestamp",
        "StartSelector.AfterFragmentNumber",
        "StartSelector.StartTimestamp",
        "StartSelector.ContinuationToken",
    ];
    assert_eq!(members(Operation::GetMedia, &request), expected);
    let request = json!({"MaxResults": 0, "NextToken": "?", "StreamNameCondition": {"ComparisonOperator": "IS"}});
    let expected = ["MaxResults", "NextToken", "StreamNameCondition.ComparisonOperator"];
    assert_eq!(members(Operation::ListStreams, &request), expected);
}

#[test]
fn lengths_ranges_patterns_types_and_missing_members() {
    let long = "x".repeat(257);
    let many: Vec<String> = (0..1001).map(|number| number.to_string()).collect();
    let bad = [
        (Operation::DescribeStream, json!({})),
        (Operation::DescribeStream, json!({"StreamName": long})),
        (Operation::DescribeStream, json!({"StreamName": ""})),
        (Operation::DescribeStream, json!({"StreamName": 7})),
        (Operation::DescribeStream, json!({"StreamARN": "arn:aws:s3:::bucket"})),
        (Operation::DescribeStream, json!([])),
        (Operation::CreateStream, json!({"StreamName": "s", "DataRetentionInHours": -1})),
        (Operation::CreateStream, json!({"StreamName": "s", "DataRetentionInHours": 1.5})),
        (Operation::CreateStream, json!({"StreamName": "s", "Tags": {}})),
        (Operation::CreateStream, json!({"StreamName": "s", "MediaType": "video"})),
        (Operation::UpdateStream, json!({"StreamName": "s"})),
        (Operation::UntagStream, json!({"StreamName": "s", "TagKeyList": []})),
        (Operation::GetMediaForFragmentList, json!({"StreamName": "s", "Fragments": many})),
        // The model of GetMedia accepts no ARN of another partition.
        (
            Operation::GetMedia,
            json!({"StreamARN": ARN.replace("arn:aws:", "arn:aws-cn:"), "StartSelector": {"StartSelectorType": "NOW"}}),
        ),
        (
            Operation::ListFragments,
            json!({"StreamName": "s", "FragmentSelector": {"FragmentSelectorType": "NOW", "TimestampRange": {}}}),
        ),
    ];
    for (operation, request) in bad {
        assert!(!operation.check(&request).is_empty(), "{} {request}", operation.name());
    }
}
