//! Prints the fragments of a recorded GetMedia response: `cargo run --example print_fragments -- recording.mkv`.

use kvs_mkv::{Event, Splitter};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).ok_or("expected the file of a recorded GetMedia response")?;
    let bytes = std::fs::read(file)?;
    let (mut splitter, mut rest) = (Splitter::default(), bytes.as_slice());
    while let Some(event) = splitter.push(&mut rest)? {
        match event {
            Event::Fragment(fragment) => {
                let (frames, size_bytes) = (fragment.frames.len(), fragment.payload.len());
                println!("{}: {frames} frames, {size_bytes} bytes", fragment.number);
            }
            Event::Unterminated(fragment) => println!("{}: unterminated", fragment.number),
            Event::Error(report) => println!("the service reports {report:?}"),
        }
    }
    println!("end of the response: {:?}", splitter.finish()?);
    Ok(())
}
