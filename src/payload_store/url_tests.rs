#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn urls_are_those_of_stores() {
    use StoreUrlError::{Account, Bucket, More, NotFolder, Prefix, Scheme};
    for (text, expected) in [
        ("s3://bucket", Ok("s3://bucket")),
        ("s3://bucket/a/b/", Ok("s3://bucket/a/b")),
        ("s3://bucket/site=a/day=1+2", Ok("s3://bucket/site=a/day=1+2")),
        ("gs://bucket_1.example.com/a", Ok("gs://bucket_1.example.com/a")),
        ("az://container", Ok("az://container")),
        ("az://$web/a", Ok("az://$web/a")),
        ("abfss://container@account.dfs.core.windows.net/a", Ok("abfss://container@account.dfs.core.windows.net/a")),
        ("abfss://container/a", Err(Account)),
        ("abfss://container@account/a", Err(Account)),
        ("file:///var/lib/payloads", Ok("file:///var/lib/payloads")),
        ("file:///var/lib/pay%20loads/", Ok("file:///var/lib/pay%20loads")),
        ("file:///", Err(NotFolder)),
        ("file://host/folder", Err(NotFolder)),
        ("/var/lib/payloads", Err(Scheme)),
        ("https://bucket.s3.amazonaws.com", Err(Scheme)),
        ("s3:bucket", Err(Bucket)),
        ("s3:///a", Err(Bucket)),
        ("s3://buck et/a", Err(Scheme)),
        ("s3://bucket..a", Err(Bucket)),
        ("s3://user:very-secret@bucket", Err(More)),
        ("s3://bucket:9000", Err(More)),
        ("s3://bucket?key=very-secret", Err(More)),
        ("s3://bucket/a#b", Err(More)),
        ("s3://bucket/a//b", Err(Prefix)),
        ("s3://bucket/../b", Err(Prefix)),
        ("s3://bucket/./b", Err(Prefix)),
        ("s3://bucket/a%20b", Err(Prefix)),
        ("s3://bucket/a b", Err(Prefix)),
        ("s3://bucket/ä", Err(Prefix)),
    ] {
        let found = StoreUrl::parse(text).map(|url| url.to_string());
        assert_eq!(found, expected.map(str::to_owned), "{text}");
        assert!(found.is_ok() || !found.unwrap_err().to_string().contains("very-secret"));
    }
}

#[test]
fn uris_are_those_that_other_tools_accept() {
    for (url, expected) in [
        ("s3://bucket", "s3://bucket/a/door/17.mkv"),
        ("gs://bucket", "gs://bucket/a/door/17.mkv"),
        ("abfss://c@account.dfs.core.windows.net", "abfss://c@account.dfs.core.windows.net/a/door/17.mkv"),
        ("file:///pay%20loads", "file:///pay%20loads/a/door/17.mkv"),
    ] {
        assert_eq!(StoreUrl::parse(url).unwrap().uri_of("a/door/17.mkv"), expected);
    }
    assert_eq!(StoreUrl::parse("abfss://c@account.dfs.core.windows.net/a").unwrap().bucket(), "c");
}
