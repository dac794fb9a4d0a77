//! What the Dockerfile puts into its images, as far as it is used here: which files are where, and which program runs.

use std::path::{Path, PathBuf};

use crate::StackError;

/// A stage of the Dockerfile.
#[derive(Debug, Default)]
pub(crate) struct Image {
    name: String,
    /// A path in the image, and the one in the repository that it is copied from.
    files: Vec<(String, PathBuf)>,
    pub(crate) entrypoint: Vec<String>,
}

impl Image {
    /// Returns the stage of this name, or the last one.
    pub(crate) fn of(dockerfile: &str, stage: Option<&str>) -> Result<Self, StackError> {
        let mut images = stages(dockerfile);
        let found = match stage {
            None => images.pop(),
            Some(stage) => images.into_iter().find(|image| image.name == stage),
        };
        found.ok_or_else(|| StackError::Stage { stage: stage.unwrap_or("the last one").to_owned() })
    }

    /// Replaces paths of the image in a text by those in the repository.
    pub(crate) fn replace(&self, root: &Path, text: &str) -> String {
        let mut replaced = text.to_owned();
        for (inside, outside) in &self.files {
            replaced = with_path(&replaced, inside, &root.join(outside));
        }
        replaced
    }
}

/// Replaces a path, and what begins with it, where it is a whole one.
pub(crate) fn with_path(text: &str, from: &str, to: &Path) -> String {
    let Some(begin) = text.find(from) else { return text.to_owned() };
    let (before, rest) = (&text[..begin], &text[begin + from.len()..]);
    let begins = before.is_empty() || before.ends_with('=');
    let ends = rest.is_empty() || rest.starts_with('/');
    if begins && ends { format!("{before}{}{rest}", to.display()) } else { text.to_owned() }
}

fn stages(dockerfile: &str) -> Vec<Image> {
    let mut images: Vec<Image> = Vec::new();
    for line in dockerfile.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match (words.as_slice(), images.last_mut()) {
            (["FROM", _, "AS", name], _) => images.push(Image { name: (*name).to_owned(), ..Image::default() }),
            (["FROM", ..], _) => images.push(Image::default()),
            // What other stages made is found by its name.
            (["COPY", from, to], Some(image)) => image.files.push(((*to).to_owned(), PathBuf::from(from))),
            (["ENTRYPOINT", list @ ..], Some(image)) => {
                image.entrypoint = serde_json::from_str(&list.join(" ")).unwrap_or_default();
            }
            _ => {}
        }
    }
    images
}

#[cfg(test)]
#[path = "image_tests.rs"]
mod tests;
