//! Writes the frames of a recording of GetMedia to a file, one after the other, and a line about each.
//!
//!     cargo run --example write_frames -- recording.mkv frames.bin [annexb|mkv] [mkv|adts] [TRACKS]

use std::error::Error;
use std::io::Write;

use kvs_frames::{FrameOptions, Frames};
use kvs_mkv::{Event, Splitter};

/// The service accepts fragments of at most 50 MB.
const FRAME_MAX_BYTES: usize = 64 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [input, output, rest @ ..] = &arguments[..] else {
        return Err("usage: write_frames RECORDING OUTPUT [annexb|mkv] [mkv|adts] [TRACKS]".into());
    };
    let mut options = FrameOptions::default();
    if let Some(video) = rest.first() {
        options.video = video.parse()?;
    }
    if let Some(audio) = rest.get(1) {
        options.audio = audio.parse()?;
    }
    if let Some(tracks) = rest.get(2) {
        options.tracks = tracks.parse()?;
    }
    let recording = std::fs::read(input)?;
    let mut out = std::io::BufWriter::new(std::fs::File::create(output)?);
    let mut splitter = Splitter::default();
    let mut piece = recording.as_slice();
    while let Some(event) = splitter.push(&mut piece)? {
        let Event::Fragment(fragment) = event else { continue };
        for frame in Frames::new(&fragment, &options).iter() {
            let data = frame.data(FRAME_MAX_BYTES)?;
            out.write_all(&data)?;
            let (track, codec, format, pts_ns) = (frame.track().number, frame.codec(), frame.format(), frame.pts_ns);
            let key = if frame.key { " key" } else { "" };
            println!("track {track} {codec} {format} {pts_ns} ns {} bytes{key}", data.len());
        }
    }
    Ok(out.flush()?)
}
