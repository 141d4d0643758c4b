//! The bytes of a file that DuckDB takes for a compressed one, by the end of its name.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;

/// Opens a file for what it holds, decompressed.
pub(super) fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    let file = BufReader::with_capacity(1 << 20, File::open(path)?);
    Ok(if has_end(path, "gz") {
        Box::new(MultiGzDecoder::new(file))
    } else if has_end(path, "zst") {
        Box::new(Frames { content: Some(Frame::Next(file)) })
    } else {
        Box::new(file)
    })
}

fn has_end(path: &Path, end: &str) -> bool {
    path.extension().is_some_and(|found| found.eq_ignore_ascii_case(end))
}

/// The frames of a Zstandard file, one after the other.
struct Frames<R: BufRead> {
    content: Option<Frame<R>>,
}

enum Frame<R: BufRead> {
    Next(R),
    Open(Box<StreamingDecoder<R, ruzstd::decoding::FrameDecoder>>),
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut frame = match self.content.take() {
                None => return Ok(0),
                Some(Frame::Next(mut rest)) => {
                    if rest.fill_buf()?.is_empty() {
                        return Ok(0);
                    }
                    Box::new(StreamingDecoder::new(rest).map_err(io::Error::other)?)
                }
                Some(Frame::Open(frame)) => frame,
            };
            let count = frame.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                self.content = Some(Frame::Open(frame));
                return Ok(count);
            }
            self.content = Some(Frame::Next(frame.into_inner()));
        }
    }
}
