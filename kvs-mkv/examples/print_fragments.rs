//! Prints the fragments of a recorded GetMedia response: `cargo run --example print_fragments -- recording.mkv`.

use kvs_mkv::{End, Event, Splitter};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).ok_or("expected the file of a recorded GetMedia response")?;
    let bytes = std::fs::read(file)?;
    let mut splitter = Splitter::default();
    let mut rest = bytes.as_slice();
    while let Some(event) = splitter.push(&mut rest)? {
        match event {
            Event::Fragment(fragment) => {
                let seconds = fragment.duration_ns() as f64 / 1e9;
                println!(
                    "{} {seconds:7.3} s {:5} frames {:9} bytes",
                    fragment.number,
                    fragment.frames.len(),
                    fragment.payload.len()
                );
            }
            Event::Unterminated(fragment) => println!("{} is unterminated", fragment.number),
            Event::Error(report) => println!("the service reports {report:?}"),
        }
    }
    match splitter.finish()? {
        End::Cut { number: Some(number), .. } => println!("{number} is cut: the response ends within it"),
        end => println!("{end:?}"),
    }
    Ok(())
}
