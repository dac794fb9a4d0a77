use super::*;

#[test]
fn the_rest_takes_as_long_as_the_rate_of_this_run_says() {
    let began = Instant::now().checked_sub(Duration::from_secs(30)).unwrap_or_else(Instant::now);
    let at = |permille| Progress { permille, fragments: 5, size_bytes: 7 };
    // A quarter of all in 30 s, half of it left.
    assert_eq!(measure(at(500), at(250), began).eta_s, Some(60));
    assert_eq!(measure(at(1_000), at(250), began).eta_s, Some(0));
    assert_eq!(measure(at(250), at(250), began).eta_s, None);
}
