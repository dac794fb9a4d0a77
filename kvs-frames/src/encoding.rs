//! Content encodings, undone.

use std::borrow::Cow;

use kvs_mkv::{CompressionAlgorithm, ContentEncoding, ContentTransform};
use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_zlib_with_limit};

use crate::error::Problem;

/// A step that makes data what it was before an encoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step<'a> {
    Prepend(&'a [u8]),
    Inflate,
}

/// Returns the steps that undo the encodings that concern frames or codec private data, in the order in which to take them.
pub(crate) fn steps(
    encodings: &[ContentEncoding],
    concerned: impl Fn(&ContentEncoding) -> bool,
) -> Result<Vec<Step<'_>>, Problem> {
    let mut encodings: Vec<_> = encodings.iter().filter(|encoding| concerned(encoding)).collect();
    // The last one that was done is the first to be undone.
    encodings.sort_by_key(|encoding| std::cmp::Reverse(encoding.order));
    encodings.into_iter().map(step).collect()
}

fn step(encoding: &ContentEncoding) -> Result<Step<'_>, Problem> {
    match &encoding.transform {
        ContentTransform::Compression { algorithm: CompressionAlgorithm::HeaderStripping, settings } => {
            Ok(Step::Prepend(settings))
        }
        ContentTransform::Compression { algorithm: CompressionAlgorithm::Zlib, .. } => Ok(Step::Inflate),
        other => Err(Problem::UnsupportedEncoding { transform: other.name(), algorithm: other.algorithm_name() }),
    }
}

/// Takes the steps. Data without steps are borrowed.
pub(crate) fn undo<'a>(data: &'a [u8], steps: &[Step<'_>], limit_bytes: usize) -> Result<Cow<'a, [u8]>, Problem> {
    let mut data = Cow::Borrowed(data);
    for step in steps {
        data = Cow::Owned(match step {
            Step::Prepend(header) if data.len().saturating_add(header.len()) > limit_bytes => {
                return Err(Problem::TooLarge { limit_bytes });
            }
            Step::Prepend(header) => [header, &*data].concat(),
            Step::Inflate => decompress_to_vec_zlib_with_limit(&data, limit_bytes).map_err(|error| {
                if error.status == TINFLStatus::HasMoreOutput {
                    Problem::TooLarge { limit_bytes }
                } else {
                    Problem::BadCompression
                }
            })?,
        });
    }
    if data.len() > limit_bytes {
        return Err(Problem::TooLarge { limit_bytes });
    }
    Ok(data)
}

#[cfg(test)]
#[path = "encoding_tests.rs"]
mod tests;
