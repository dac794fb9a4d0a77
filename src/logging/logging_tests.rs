#![allow(clippy::unwrap_used)]

use super::*;

fn logging() -> (Logging, Arc<Mutex<String>>) {
    let filter = Arc::new(Mutex::new(String::new()));
    let set = Arc::clone(&filter);
    let reload: Reload = Box::new(move |filter| {
        *set.lock().unwrap() = filter.to_string();
        Ok(())
    });
    (Logging::new("info,aws_config=error", reload), filter)
}

#[test]
fn a_level_is_set_for_a_logger_and_all_within_it() {
    let (logging, filter) = logging();
    assert_eq!(
        logging.get("kvs_connect.shard").unwrap(),
        LoggerLevel { level: "INFO".to_owned(), last_modified_ms: None }
    );
    assert_eq!(logging.get("aws_config").unwrap().level, "ERROR");
    let set = logging.set("kvs_connect", "debug").unwrap();
    assert!(set.contains(&"kvs_connect::shard".to_owned()) && !set.contains(&"kvs_client".to_owned()), "{set:?}");
    assert_eq!(logging.get("kvs_connect::shard").unwrap().level, "DEBUG");
    assert!(logging.get("kvs_connect").unwrap().last_modified_ms.is_some());
    assert_eq!(logging.get("kvs_client").unwrap().level, "INFO");
    let now = filter.lock().unwrap().clone();
    assert!(now.contains("kvs_connect=debug") && now.contains("aws_config=error") && now.contains("info"), "{now}");
    logging.set("root", "WARN").unwrap();
    assert_eq!(logging.get("aws_config").unwrap().level, "WARN");
    assert_eq!(*filter.lock().unwrap(), "warn");
}

#[test]
fn what_is_no_level_or_no_name_is_refused() {
    let (logging, _) = logging();
    assert!(logging.set("root", "LOUD").is_err());
    assert!(logging.set("a,b=trace", "INFO").is_err());
    assert!(logging.set(&"x".repeat(201), "INFO").is_err());
    assert!(logging.get("nobody").is_none());
    for name in ["", ".", "..", "::", "a..b", "a::", "::a", ".a", "a.", "a:b", "a:::b", "a b", "a.1b", "9", "a-b", "é"]
    {
        let reason = logging.set(name, "INFO").unwrap_err();
        assert!(reason.to_string().contains("joined by :: or a dot"), "{name:?}: {reason}");
        assert!(logging.check(name, "INFO").is_err(), "{name:?}");
    }
    for name in ["a", "_a9::B", "org.apache.kafka", "root"] {
        logging.set(name, "INFO").unwrap();
    }
}
