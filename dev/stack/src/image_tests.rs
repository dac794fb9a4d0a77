use super::*;

const DOCKERFILE: &str = "
FROM rust AS build
COPY . .
FROM python AS consumers
COPY examples /examples
ENTRYPOINT [\"python\"]
FROM debian
COPY --from=build /build/x /usr/local/bin/
COPY connectors /etc/kvs-connect
COPY dev/clip.mkv /usr/share/clip.mkv
ENTRYPOINT [\"kvs-connect\", \"-v\"]
";

#[test]
fn stages_have_files_and_a_program() {
    let root = Path::new("/repository");
    let last = Image::of(DOCKERFILE, None).unwrap();
    assert_eq!(last.entrypoint, ["kvs-connect", "-v"]);
    assert_eq!(last.replace(root, "/etc/kvs-connect/a.toml"), "/repository/connectors/a.toml");
    assert_eq!(last.replace(root, "x=/usr/share/clip.mkv"), "x=/repository/dev/clip.mkv");
    for other in ["/etc/kvs-connectors/a", "/opt/etc/kvs-connect/a", "/usr/share/clip.mkv2"] {
        assert_eq!(last.replace(root, other), other);
    }
    let consumers = Image::of(DOCKERFILE, Some("consumers")).unwrap();
    assert_eq!(consumers.entrypoint, ["python"]);
    assert_eq!(consumers.replace(root, "/examples/a.py"), "/repository/examples/a.py");
    assert!(Image::of(DOCKERFILE, Some("missing")).unwrap_err().to_string().contains("missing"));
}
