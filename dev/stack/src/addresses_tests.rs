use super::*;

const COMPOSE: &str = "
services:
  kafka:
    image: x
    ports: [\"127.0.0.1:9092:9094\"]
  worker-1:
    build: .
";

#[test]
fn each_port_of_each_service_has_one_here() {
    let mut addresses = Addresses::new(&Compose::parse(COMPOSE).unwrap(), true).unwrap();
    let listeners = addresses.replace("kafka", "IN://:9093,OUT://:9094,ALL://0.0.0.0:9093");
    let (inside, outside) = (addresses.port("kafka", 9093), addresses.port("kafka", 9094));
    assert_ne!(inside, outside);
    assert_ne!(outside, 9092);
    assert_eq!(listeners, format!("IN://127.0.0.1:{inside},OUT://127.0.0.1:{outside},ALL://127.0.0.1:{inside}"));
    // Of others, by their names; published ones, as this machine knows them.
    assert_eq!(
        addresses.replace("worker-1", "kafka:9093 http://kafka:9094/x 127.0.0.1:9092"),
        format!("127.0.0.1:{inside} http://127.0.0.1:{outside}/x 127.0.0.1:{outside}")
    );
    let own = addresses.replace("worker-1", "http://0.0.0.0:9093");
    assert_eq!(own, format!("http://127.0.0.1:{}", addresses.port("worker-1", 9093)));
    assert_ne!(addresses.port("worker-1", 9093), inside);
    assert_eq!(addresses.ports("kafka").collect::<Vec<_>>(), [(9093, inside), (9094, outside)]);
    let unchanged = "front-door=/clip.mkv my-kafka 127.0.0.1:1 kafka:123456";
    assert_eq!(addresses.replace("kafka", unchanged), unchanged);
}

#[test]
fn a_published_port_is_used_if_it_is_free() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let compose = Compose::parse(&COMPOSE.replace("9092", &port.to_string())).unwrap();
    let mut addresses = Addresses::new(&compose, false).unwrap();
    assert_ne!(addresses.port("kafka", 9094), port);
    drop(taken);
    let mut addresses = Addresses::new(&compose, false).unwrap();
    assert_eq!(addresses.port("kafka", 9094), port);
}
