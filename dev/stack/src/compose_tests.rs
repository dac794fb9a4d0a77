use super::*;

#[test]
fn what_is_not_known_is_refused() {
    let refused = |text: &str| Compose::parse(text).unwrap_err().to_string();
    assert!(refused("services:\n  a:\n    image: b\n    privileged: true\n").contains("privileged"));
    assert!(refused("services:\n  a:\n    image: b\n    depends_on: [c]\n").contains("depends on c"));
    assert!(refused("services:\n  a:\n    image: b\n    command: [\"${X}\"]\n").contains("variables"));
    assert!(refused("services:\n  a:\n    image: b\n    restart: always\n").contains("always"));
}

#[test]
fn services_come_behind_those_that_they_depend_on() {
    let text = "services:\n  a:\n    build: .\n    depends_on: [c]\n  b:\n    image: x\n  c:\n    image: y\n    depends_on: [b]\n";
    assert_eq!(Compose::parse(text).unwrap().in_order(), ["b", "c", "a"]);
    let circle = "services:\n  a:\n    build: .\n    depends_on: [b]\n  b:\n    image: x\n    depends_on: [a]\n";
    assert_eq!(Compose::parse(circle).unwrap().in_order(), ["a", "b"]);
}

#[test]
fn published_ports_have_the_containers_last() {
    let text = "services:\n  a:\n    image: x\n    ports: [\"127.0.0.1:8081:8080\", \"9092:9092\"]\n";
    let compose = Compose::parse(text).unwrap();
    assert_eq!(compose.services["a"].published().collect::<Vec<_>>(), [(8081, 8080), (9092, 9092)]);
}
