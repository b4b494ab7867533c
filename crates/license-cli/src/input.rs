//! Opens what commands read: a file or stdin, decompressed if its first bytes say that it is compressed.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use jiff::Timestamp;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use crate::context::unreadable;
use crate::failure::Failure;

/// An input that was opened.
pub(crate) struct Input<'a> {
    pub reader: Box<dyn Read + 'a>,
    /// How many bytes the reader will give, if that is known.
    pub size: Option<u64>,
}

/// Opens a file, or stdin for `-`.
pub(crate) fn open<'a>(
    path: &Path,
    stdin: &'a mut dyn Read,
    directory: &Path,
) -> Result<Input<'a>, Failure> {
    let failed = |error: io::Error| unreadable(path, &error);
    if path == Path::new("-") {
        let (reader, _) = unpacked(stdin).map_err(failed)?;
        return Ok(Input { reader, size: None });
    }
    let file = File::open(directory.join(path)).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let (reader, is_packed) = unpacked(file).map_err(failed)?;
    let size = (metadata.is_file() && !is_packed).then_some(metadata.len());
    Ok(Input { reader, size })
}

/// When a file was last written, if the system knows; none for stdin.
pub(crate) fn modified(path: &Path, directory: &Path) -> Result<Option<Timestamp>, Failure> {
    if path == Path::new("-") {
        return Ok(None);
    }
    let metadata = fs::metadata(directory.join(path)).map_err(|error| unreadable(path, &error))?;
    Ok(metadata.modified().ok().and_then(|time| Timestamp::try_from(time).ok()))
}

/// Whether the name says that each line is a record, and not the whole file one document.
pub(crate) fn is_lines(path: &Path) -> bool {
    matches!(extension(path).as_deref(), Some("ndjson" | "jsonl"))
}

/// The extension of the name in small letters, or the one before it if it is that of a compression.
fn extension(path: &Path) -> Option<String> {
    let last = |path: &Path| Some(path.extension()?.to_str()?.to_ascii_lowercase());
    match last(path)?.as_str() {
        "gz" | "zst" => last(Path::new(path.file_stem()?)),
        extension => Some(extension.to_owned()),
    }
}

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// All but the first byte of a skippable zstd frame, which holds no data.
const ZSTD_SKIPPED: [u8; 3] = [0x2a, 0x4d, 0x18];

/// A reader of the decompressed input, and whether it was compressed. The first bytes decide, not the
/// name, since no JSON begins like a compressed stream.
fn unpacked<'a>(mut reader: impl Read + 'a) -> io::Result<(Box<dyn Read + 'a>, bool)> {
    let mut first = Vec::new();
    reader.by_ref().take(4).read_to_end(&mut first)?;
    let is_zstd =
        first == ZSTD || matches!(&first[..], [0x50..=0x5f, rest @ ..] if *rest == ZSTD_SKIPPED);
    let is_gzip = first.starts_with(&GZIP);
    let whole = Cursor::new(first).chain(reader);
    Ok(match (is_gzip, is_zstd) {
        (true, _) => (Box::new(MultiGzDecoder::new(BufReader::new(whole))), true),
        (_, true) => (Box::new(Frames::new(BufReader::new(whole))), true),
        (false, false) => (Box::new(whole), false),
    })
}

/// Decompresses zstd: any number of frames, each checked against its checksum if it has one.
struct Frames<R> {
    source: R,
    decoder: FrameDecoder,
    inside: bool,
}

impl<R: BufRead> Frames<R> {
    fn new(source: R) -> Frames<R> {
        Frames { source, decoder: FrameDecoder::new(), inside: false }
    }

    /// Begins the next frame; false at the end of the input.
    fn begin(&mut self) -> io::Result<bool> {
        if self.source.fill_buf()?.is_empty() {
            return Ok(false);
        }
        match self.decoder.init(&mut self.source) {
            Ok(()) => self.inside = true,
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length,
                ..
            })) => {
                let length = u64::from(length);
                let skipped = io::copy(&mut self.source.by_ref().take(length), &mut io::sink())?;
                if skipped < length {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            Err(error) => return Err(damaged(&error)),
        }
        Ok(true)
    }

    /// Leaves a frame that was read to its end, and compares its checksum.
    fn end(&mut self) -> io::Result<()> {
        self.inside = false;
        let told = self.decoder.get_checksum_from_data();
        if told.is_some() && told != self.decoder.get_calculated_checksum() {
            return Err(io::Error::other("the checksum of the compressed data does not match"));
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.inside {
                if !self.begin()? {
                    return Ok(0);
                }
                continue;
            }
            let count = self.decoder.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            if self.decoder.is_finished() {
                self.end()?;
            } else {
                let some = BlockDecodingStrategy::UptoBlocks(1);
                self.decoder
                    .decode_blocks(&mut self.source, some)
                    .map_err(|error| damaged(&error))?;
            }
        }
    }
}

fn damaged(error: &FrameDecoderError) -> io::Error {
    io::Error::other(format!("its zstd data is damaged or cut off ({error})"))
}
