//! ARNs of streams: `arn:aws:kinesisvideo:REGION:ACCOUNT:stream/NAME/CREATED`.

/// Returns the ARN of a stream.
pub(crate) fn arn(region: &str, account: &str, name: &str, created_millis: i64) -> String {
    format!("arn:{}:kinesisvideo:{region}:{account}:stream/{name}/{created_millis}", partition(region))
}

/// Returns the account in an ARN.
pub(crate) fn account_of(arn: &str) -> Option<&str> {
    arn.split(':').nth(4)
}

/// Returns the stream name in an ARN.
pub(crate) fn name_of(arn: &str) -> Option<&str> {
    arn.split('/').nth(1)
}

/// Returns the partition of a region.
fn partition(region: &str) -> &'static str {
    if region.starts_with("cn-") {
        "aws-cn"
    } else if region.starts_with("us-gov-") {
        "aws-us-gov"
    } else {
        "aws"
    }
}
